"""The operator's file of MCP servers, YAML or JSON, in the form that other MCP clients read.

    mcpServers:            # or `servers`
      files:
        command: npx
        args: ["-y", "@modelcontextprotocol/server-filesystem", "/srv/files"]
      search:
        url: https://mcp.example/mcp
        headers: {Authorization: "Bearer ${env.SEARCH_TOKEN}"}

Nothing of a request or a definition reaches it: a command in it runs on this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from state.errors import BadRequest

GROUPS = ("servers", "mcpServers")
SERVER_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?!_)){0,31}"
"""Without two underlines: a tool is called `server__tool`."""
MAX_BYTES = 256_000
_REFERENCE = re.compile(r"\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}")

Transport = Literal["stdio", "http", "streamable_http", "streamable-http", "sse"]


class McpServer(BaseModel):
    """How one server is started, or reached."""

    # What is wrong is told without repeating a value: headers and env hold keys.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: str | None = Field(None, min_length=1)
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    """Beside PATH, HOME and the like; nothing else of this process's environment is handed on."""
    cwd: str | None = None
    url: str | None = Field(None, pattern=r"^https?://\S+$")
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    transport: Transport | None = Field(None, validation_alias=AliasChoices("transport", "type"))
    timeout: float = Field(60.0, gt=0.0, le=3_600.0)
    """Seconds that one call of a tool may take."""
    tools: tuple[str, ...] | None = None
    """Those of its tools that agents may be given; None: all."""
    disabled: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> McpServer:
        if (self.command is None) == (self.url is None):
            raise ValueError("expected either command, which starts it, or url, where it is")
        foreign = {"url": ("args", "env", "cwd"), "command": ("headers",)}["command" if self.url is None else "url"]
        if wrong := [name for name in foreign if getattr(self, name)]:
            raise ValueError(f"{', '.join(wrong)} has no meaning beside {'url' if self.url else 'command'}")
        if self.transport is not None and (self.transport == "stdio") != (self.url is None):
            raise ValueError("transport: stdio goes with command; http, streamable_http or sse with url")
        return self

    def connection(self) -> dict[str, Any]:
        """As langchain-mcp-adapters describes a server."""
        if self.command is not None:
            own = {"command": self.command, "args": list(self.args), "env": dict(self.env), "cwd": self.cwd}
            return {"transport": "stdio", **own}
        kind = "sse" if self.transport == "sse" else "streamable_http"
        return {"transport": kind, "url": self.url, "headers": dict(self.headers)}


def read_servers(path: Path, environment: Mapping[str, str]) -> dict[str, McpServer]:
    """The servers that are switched on, by name. Raises BadRequest that names file, server and field."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"LAB_MCP_SERVERS: {path} cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise BadRequest(f"{path}: {len(text)} bytes; a file of MCP servers has at most {MAX_BYTES}")
    try:
        said = yaml.safe_load(text)  # JSON is YAML
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadRequest(f"{path}: it is neither YAML nor JSON: {' '.join(str(error).split())[:300]}") from error
    return servers_of(said, environment, where=str(path))


def servers_of(said: Any, environment: Mapping[str, str], *, where: str) -> dict[str, McpServer]:
    """The same of a file's content."""
    groups = [group for group in GROUPS if isinstance(said, dict) and group in said]
    if len(groups) != 1 or set(said) != set(groups) or not isinstance(said[groups[0]], dict):
        raise BadRequest(f"{where}: expected one key, servers or mcpServers, with servers by name")
    found = {name: _server(name, entry, environment, where) for name, entry in said[groups[0]].items()}
    return {name: server for name, server in found.items() if not server.disabled}


def _server(name: object, entry: object, environment: Mapping[str, str], where: str) -> McpServer:
    if not isinstance(name, str) or not re.fullmatch(SERVER_NAME, name):
        raise BadRequest(f"{where}: {name!r} cannot name a server; use at most 32 letters, digits, - and single _")
    try:
        server = McpServer.model_validate(entry)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors())
        raise BadRequest(f"{where}: server '{name}': {wrong}") from None
    filled = {
        field: {key: _filled(value, environment, f"{where}: server '{name}': {field}.{key}") for key, value in held}
        for field, held in (("env", server.env.items()), ("headers", server.headers.items()))
    }
    return server.model_copy(update=filled)


def _filled(value: str, environment: Mapping[str, str], where: str) -> str:
    """A value with each `${env.NAME}` replaced."""

    def variable(found: re.Match[str]) -> str:
        if (known := environment.get(found[1])) is None:
            raise BadRequest(f"{where}: the environment has no variable {found[1]}")
        return known

    return _REFERENCE.sub(variable, value)
