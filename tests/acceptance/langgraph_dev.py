"""Serve this repository's `langgraph.json` with the official `langgraph dev` and stream a run of each graph from it.

    python tests/acceptance/langgraph_dev.py

Needs `langgraph-cli[inmem]` installed beside this project; says so and ends with exit code 77 where it is absent.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
from langgraph_sdk import get_client

ROOT = Path(__file__).parents[2]
SKIPPED = 77
ABSENT = "langgraph-cli is absent; to run this: pip install 'langgraph-cli[inmem]' into the environment of this project"
START_SEC = 90


def find_langgraph() -> str | None:
    """The `langgraph` command of this environment, or None when it cannot serve."""
    if find_spec("langgraph_api") is None:
        return None
    return shutil.which("langgraph", path=str(Path(sys.executable).parent))


@contextmanager
def official_server(command: str) -> Iterator[str]:
    """`langgraph dev` over our langgraph.json, on a free port; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # It keeps a folder of its own beside the configuration, so it gets a copy that points here.
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "langgraph.json"
        config.write_text((ROOT / "langgraph.json").read_text().replace('"./', f'"{ROOT}/').replace('"."', f'"{ROOT}"'))
        arguments = ["dev", "--no-browser", "--no-reload", "--port", str(port), "--config", str(config)]
        with subprocess.Popen(
            [command, *arguments],
            cwd=folder,
            env={**os.environ, "LANGSMITH_TRACING": "false"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                process.kill()


async def wait_for(address: str) -> None:
    """Until the server answers. Raises TimeoutError."""
    async with asyncio.timeout(START_SEC), httpx.AsyncClient(base_url=address) as client:
        while True:
            try:
                if (await client.get("/ok")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.2)


async def stream(address: str, graph: str, prompt: str) -> tuple[list[str], str, dict[str, Any]]:
    """One run: the nodes that said something, the streamed text, the final state."""
    client = get_client(url=address)
    thread = await client.threads.create()
    nodes: list[str] = []
    text = ""
    parts = client.runs.stream(
        thread["thread_id"],
        graph,
        input={"messages": [{"role": "user", "content": prompt}]},
        context={"max_attempts": 2},
        stream_mode=["tasks", "messages-tuple"],
    )
    async for part in parts:
        assert part.event != "error", part.data
        if part.event == "tasks" and "result" in part.data:
            nodes.append(part.data["name"])
        elif part.event == "messages" and part.data[0]["type"] == "AIMessageChunk":
            text += part.data[0]["content"]
    state = await client.threads.get_state(thread["thread_id"])
    return nodes, text, dict(state["values"])


async def check(address: str) -> None:
    """Both graphs answer, stream their tokens and leave their state."""
    await wait_for(address)
    nodes, text, values = await stream(address, "orchestrator", "What is 17 + 25?")
    print("orchestrator:", " → ".join(nodes), "|", values["result"]["output"])
    assert nodes[0] == "read_history" and nodes[-1] == "summarise" and "call_tools" in nodes
    assert "42" in values["result"]["output"] and values["result"]["output"] in text
    assert values["messages"][-1]["content"] == values["result"]["output"]
    nodes, text, values = await stream(address, "direct", "Invierte la palabra casa")
    print("direct:", " → ".join(nodes), "|", values["result"]["output"])
    assert nodes == ["answer"] and text.strip() == values["result"]["output"]


def main() -> int:
    """0 when everything held, 77 when langgraph-cli is absent."""
    command = find_langgraph()
    if command is None:
        print(ABSENT)
        return SKIPPED
    with official_server(command) as address:
        asyncio.run(check(address))
    print("langgraph dev serves this langgraph.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
