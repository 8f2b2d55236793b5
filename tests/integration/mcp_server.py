"""An MCP server in a process of its own: `python mcp_server.py stdio|http PORT FILE`. It counts its calls in FILE."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP

transport, port, counted = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
server = FastMCP("counting", host="127.0.0.1", port=port, log_level="ERROR")


@server.tool()
def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    with counted.open("a") as file:
        file.write(f"add {os.getpid()}\n")
    return a + b


@server.tool()
def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


@server.tool(name="file.write/all")
def long(chars: int) -> str:
    """A long text."""
    return "x" * chars


@server.tool()
async def wait() -> str:
    """Do not come back."""
    with counted.open("a") as file:
        file.write(f"wait {os.getpid()}\n")
    await asyncio.sleep(600)
    return "late"


@server.tool()
def surroundings() -> str:
    """What this process sees."""
    return " ".join(sorted(os.environ)) + " " + os.environ.get("TOKEN", "")


@server.tool()
def end() -> str:
    """End as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


server.run(transport="stdio" if transport == "stdio" else "streamable-http")
