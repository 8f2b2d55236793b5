"""The tools of the operator's MCP servers, beside the lab's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from langchain_core.tools import BaseTool
from pydantic import Field

from server.mcp_tools.config import McpServer, read_servers
from server.mcp_tools.texts import bounded, tool_names
from state.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from server.mcp_tools.connection import McpConnection

log = logging.getLogger(__name__)

MAX_DESCRIPTION = 4_000
PING_SEC = 10.0
WAIT_SEC = 10.0
"""At the start, for servers that take their time; what they offer comes when they do."""


class McpTool(Protocol):
    """A tool as its server tells it."""

    name: str
    description: str | None
    inputSchema: dict[str, Any]


class McpServing(Protocol):
    """What tools need of a connection."""

    name: str
    error: str | None

    @property
    def server(self) -> McpServer: ...

    @property
    def tools(self) -> Iterable[Any]: ...

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str: ...


class McpTools:
    """The servers of a process and their tools as they are now: a server may come back with others."""

    def __init__(self, servers: Iterable[McpServing] = ()) -> None:
        self._servers = {server.name: server for server in servers}
        self._made: dict[str, tuple[Iterable[McpTool], list[BaseTool]]] = {}

    def __iter__(self) -> Iterator[BaseTool]:
        for name, server in self._servers.items():
            told, made = self._made.get(name, ((), []))
            if told is not server.tools:
                told, made = self._made[name] = server.tools, tools_of(server)
            yield from made

    @property
    def missing(self) -> dict[str, str]:
        """Servers that cannot be called now, and why."""
        return {name: server.error for name, server in self._servers.items() if server.error is not None}

    def over(self, own: Iterable[BaseTool]) -> Mapping[str, BaseTool]:
        """All tools by name; to look up one of a server that was never reached raises Unavailable, which says so."""
        return _Shelf({tool.name: tool for tool in own}, self)


class _Shelf(Mapping[str, BaseTool]):
    def __init__(self, own: Mapping[str, BaseTool], mcp: McpTools) -> None:
        self._own = own
        self._mcp = mcp

    def __getitem__(self, name: str) -> BaseTool:
        if name in self._own:
            return self._own[name]
        for tool in self._mcp:
            if tool.name == name:
                return tool
        server, _, tool_name = name.partition("__")
        if tool_name and (why := self._mcp.missing.get(server)) is not None:
            raise Unavailable(f"tool '{name}': MCP server '{server}' is not reached: {why}")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from (tool.name for tool in self._mcp)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def tools_of(server: McpServing) -> list[BaseTool]:
    """What agents are handed of one server."""
    wanted = server.server.tools
    offered: list[McpTool] = [tool for tool in server.tools if wanted is None or tool.name in wanted]
    names = tool_names(server.name, (tool.name for tool in offered))
    return [_tool(server, tool, names[tool.name]) for tool in offered]


class _Tool(BaseTool):
    """Not a StructuredTool, which takes the arguments `config`, `run_manager` and `self` for its own."""

    called: Callable[[Mapping[str, Any]], Awaitable[str]] = Field(exclude=True)

    def _run(self, /, **arguments: Any) -> str:
        raise NotImplementedError("tools of MCP servers are called with ainvoke")

    async def _arun(self, /, **arguments: Any) -> str:
        return await self.called(arguments)


def _tool(server: McpServing, tool: McpTool, name: str) -> BaseTool:
    return _Tool(
        name=name,
        description=bounded(tool.description or f"{tool.name} of {server.name}", MAX_DESCRIPTION),
        args_schema=tool.inputSchema,
        called=partial(server.call, tool.name),
        handle_tool_error=True,  # the model is told, and may do better
        metadata={"mcp_server": server.name},
    )


@asynccontextmanager
async def open_mcp_tools(
    path: Path | None, environment: Mapping[str, str], *, ping_sec: float = PING_SEC, wait_sec: float = WAIT_SEC
) -> AsyncIterator[McpTools]:
    """Start and reach the servers that the operator's file names, all at once, and keep them.

    A server that does not start is logged and tried again; its tools are missing until then, as are those of one that
    takes longer than `wait_sec`. `ping_sec`: how often each is looked at. Raises BadRequest for a file that is wrong,
    and where the packages are missing.
    """
    servers = {} if path is None else await asyncio.to_thread(read_servers, path, environment)
    if not servers:
        yield McpTools()
        return
    try:
        from server.mcp_tools.connection import McpConnection  # noqa: PLC0415  of an extra
    except ModuleNotFoundError as error:
        raise BadRequest("LAB_MCP_SERVERS needs packages: pip install 'agent-lab[mcp]'") from error
    async with AsyncExitStack() as stack:
        kept = [McpConnection(name, server, ping_sec) for name, server in servers.items()]
        for connection in kept:
            task = asyncio.create_task(connection.keep(), name=f"MCP server {connection.name}")
            stack.push_async_callback(connection.close, task)
        await _tried(kept, wait_sec)
        tools = McpTools(kept)
        log.info("%d tools of %d MCP servers", sum(1 for _ in tools), len(kept) - len(tools.missing))
        yield tools


async def _tried(kept: Sequence[McpConnection], seconds: float) -> None:
    """Until each has been reached or has failed, for so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for connection in kept:
                await connection.tried.wait()
    for connection in kept:
        if not connection.tried.is_set():
            log.warning("MCP server '%s' takes more than %g s to start; its tools come later", connection.name, seconds)
