"""Tools of real MCP servers, over both transports, killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from server.mcp_tools.opening import McpTools, open_mcp_tools
from state.errors import Unavailable

SERVER = Path(__file__).with_name("mcp_server.py")
KEY = "key-9f3a"
SILENT = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"


async def until(look: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def http_server(port: int, counted: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, str(SERVER), "http", str(port), str(counted)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def written(folder: Path, **servers: object) -> Path:
    path = folder / "mcp.yaml"
    path.write_text(yaml.safe_dump({"mcpServers": servers}))
    return path


def stdio(counted: Path, **more: object) -> dict[str, object]:
    return {"command": sys.executable, "args": [str(SERVER), "stdio", "0", str(counted)], **more}


async def asked(tools: McpTools, name: str, **arguments: object) -> ToolMessage:
    """The tool's message to the model."""
    tool: BaseTool = tools.over(())[name]
    said = await tool.ainvoke({"type": "tool_call", "id": "1", "name": name, "args": arguments})
    assert isinstance(said, ToolMessage)
    return said


async def test_tools_over_stdio_answer_fail_in_words_and_come_back_after_a_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counted = tmp_path / "counted"
    path = written(
        tmp_path, own=stdio(counted, env={"TOKEN": "${env.THE_TOKEN}"}), off={"command": "nothing", "disabled": True}
    )
    async with open_mcp_tools(path, {"THE_TOKEN": KEY}, ping_sec=0.2) as tools:
        assert {tool.name for tool in tools} == {
            f"own__{name}" for name in ("add", "fail", "file_write_all", "wait", "surroundings", "end")
        }
        assert tools.missing == {}
        assert (await asked(tools, "own__add", a=2, b=3)).content == "5"
        failed = await asked(tools, "own__fail", why="no paper")
        assert failed.status == "error" and "no paper" in failed.text
        refused = await asked(tools, "own__add", a="two", b=3)
        assert refused.status == "error" and "valid integer" in refused.text
        long = await asked(tools, "own__file_write_all", chars=60_000)
        assert len(long.text) < 51_000 and long.text.endswith("(10000 characters more)")
        seen = (await asked(tools, "own__surroundings")).text
        assert seen.endswith(KEY) and "PYTEST_CURRENT_TEST" not in seen, "the environment is not handed on"

        ended = await asked(tools, "own__end")
        assert ended.status == "error" and "ended during the call" in ended.text
        assert (await asked(tools, "own__add", a=4, b=3)).content == "7", "started again"

        os.kill(int(counted.read_text().split()[-1]), signal.SIGKILL)
        await until(lambda: tools.missing)  # nobody has called: it was looked at
        assert (await asked(tools, "own__add", a=5, b=3)).content == "8"
        assert len(counted.read_text().splitlines()) == 3
    assert KEY not in caplog.text


async def test_tools_over_http_outlive_their_server(tmp_path: Path) -> None:
    counted, port = tmp_path / "counted", free_port()
    path = written(
        tmp_path,
        web={"url": f"http://127.0.0.1:{port}/mcp", "headers": {"Authorization": f"Bearer {KEY}"}, "timeout": 30},
        picky={**stdio(counted, timeout=0.3), "tools": ["wait"]},
        silent={"command": sys.executable, "args": ["-c", SILENT, str(tmp_path / "silent")]},
    )
    async with open_mcp_tools(path, {}, ping_sec=0.5, wait_sec=0.5) as tools:
        await until(lambda: [tool.name for tool in tools] == ["picky__wait"])  # those of the file's list
        late = await asked(tools, "picky__wait")
        assert late.status == "error" and "no answer within 0.3 s" in late.text
        with pytest.raises(Unavailable, match="tool 'web__add': MCP server 'web' is not reached: "):
            tools.over(())["web__add"]
        assert "web__add" not in set(tools.over(())) and tools.missing["silent"] == "it has not answered yet"

        with http_server(port, counted) as process:
            await until(lambda: set(tools.missing) == {"silent"})
            assert (await asked(tools, "web__add", a=2, b=3)).content == "5"
            waiting = asyncio.create_task(asked(tools, "web__wait"))
            await until(lambda: f"wait {process.pid}" in counted.read_text())
            process.kill()
            ended = await waiting
            assert ended.status == "error" and "ended during the call" in ended.text
        await until(lambda: "web" in tools.missing)
        with http_server(port, counted):
            await until(lambda: listens(port))
            assert (await asked(tools, "web__add", a=1, b=1)).text == "2", "a call waits a moment for it"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "silent").read_text()), 0)
