"""What of a model's call reaches a tool of an MCP server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.tools import ToolException

from server.mcp_tools.config import McpServer
from server.mcp_tools.opening import tools_of


@dataclass
class Serving:
    """A server of one tool that tells what it was called with."""

    properties: Mapping[str, Any] = field(default_factory=dict)
    name: str = "files"
    error: str | None = None
    server: McpServer = field(default_factory=lambda: McpServer(command="npx"))

    @property
    def tools(self) -> list[Any]:
        schema = {"type": "object", "properties": dict(self.properties)} if self.properties else {"type": "object"}
        return [SimpleNamespace(name="read", description=None, inputSchema=schema)]

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        if "wrong" in arguments:
            raise ToolException("no such file")
        return f"{tool} {dict(arguments)}"


async def told(arguments: dict[str, Any], *properties: str) -> str:
    (tool,) = tools_of(Serving({name: {"type": "string"} for name in properties}))
    call = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    return str((await tool.ainvoke(call)).content)


@pytest.mark.parametrize("name", ["config", "run_manager", "callbacks", "self", "path", "tool"])
async def test_an_argument_of_any_name_reaches_the_server(name: str) -> None:
    assert await told({name: "v"}, name) == f"read {{'{name}': 'v'}}"


async def test_a_tool_without_parameters_is_called_and_its_refusal_is_told() -> None:
    assert await told({}) == "read {}"
    assert await told({"wrong": 1}, "wrong") == "no such file"
