"""A folder of agents that changes while a server runs (LAB_AGENTS_RELOAD)."""

import asyncio
from pathlib import Path

from tests.integration.served import Served, serving

LATE = '''
from nodes.agents.base import BaseAgent


class Late(BaseAgent):
    """Came late."""

    CAPABILITIES = ("lateness",)

    async def execute(self, input, context):
        return "here"
'''


async def until_capability(served: Served, agent_id: str, wanted: list[str]) -> dict[str, object]:
    """The agent as soon as it is registered with this; the test's own timeout bounds it."""
    while True:
        for agent in await served.ok("GET", "/agents"):
            if agent["agent_id"] == agent_id and agent["capabilities"] == wanted:
                return dict(agent)
        await asyncio.sleep(0.05)


async def test_agents_come_change_and_go_with_their_files(postgres: str, tmp_path: Path) -> None:
    async with serving(postgres, tmp_path, agents_reload=True) as served:
        file = tmp_path / "agents" / "late.py"
        await asyncio.to_thread(file.write_text, LATE)
        await until_capability(served, "Late", ["lateness"])
        done = await served.ok(
            "POST", "/flows", 201, json={
                "flow_id": "late", "nodes": [{"id": "a", "capability": "lateness"}],
                "entry_point": "a", "exit_points": ["a"],
            },
        )  # fmt: skip
        assert done["flow_id"] == "late"
        ended = await served.ok("POST", "/flows/execute", json={"flow_id": "late", "input_data": {}, "wait": True})
        assert ended["node_results"] == {"a": {"response": "here"}}

        await asyncio.to_thread(file.write_text, LATE.replace('"lateness",', '"lateness", "more"'))
        await until_capability(served, "Late", ["lateness", "more"])
        await asyncio.to_thread(file.unlink)
        while (await served.ok("GET", "/agents/Late"))["status"] != "offline":
            await asyncio.sleep(0.05)
