"""The shared context of a crew's run: seen at once by those beside, kept by the checkpoint, not doubled by a retry."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver

from graphs.teams import RETRY, wire
from nodes.teams.steps import Step, Team
from state.agent_ports import AgentCall
from state.agents import AgentReply
from state.errors import AgentFailed
from state.flows import AgentSpec
from state.shared import values_of
from tests.unit.graphs.crewing import Players, graph_of, needs_for, reply

ASKED: Any = {"query": "do it"}


async def test_agents_that_work_beside_each_other_see_what_is_written_at_once_and_the_next_run_finds_it() -> None:
    async def tell(call: AgentCall) -> AgentReply:
        assert call.shared is not None
        call.shared.set("plan", "dig")
        call.shared.set("mine", 1, private=True)
        return reply("told")

    async def hear(call: AgentCall) -> AgentReply:
        assert call.shared is not None
        changes = call.shared.watch("plan")
        async with asyncio.timeout(5):
            heard = call.shared.get("plan") or (await anext(changes)).value
        return reply(heard)

    players = Players({"a": (hear,), "b": (tell,)})
    graph = graph_of("parallel", players, "a", "b", "c").compile(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}, "run_id": uuid4()}
    result = (await graph.ainvoke(ASKED, config))["result"]
    assert result.node_results["a"] == {"response": "dig"}

    kept = (await graph.aget_state(config)).values["shared"]
    assert values_of(kept) == {"plan": "dig"}
    assert values_of(kept, "b") == {"mine": 1}
    assert {change.by for change in kept} == {"b"}

    config["run_id"] = uuid4()
    await graph.ainvoke(ASKED, config)
    assert players.call("c").input["context"]["shared"] == {"plan": "dig"}


async def test_what_an_attempt_that_failed_has_written_is_not_there_for_the_next() -> None:
    async def count(call: AgentCall) -> AgentReply:
        assert call.shared is not None
        call.shared.set("count", call.shared.get("count", 0) + 1)
        if call.attempt < 3:
            raise AgentFailed("down")
        return reply(str(call.shared.get("count")))

    step = Step("a", agent=AgentSpec(agent_id="a", agent_class="Player"), config={"attempts": 3})
    team = Team(kind="flow", id="flow", name="", mode="flow", steps=(step,))
    at_once = RETRY._replace(initial_interval=0.001, jitter=False)
    graph = wire(team, needs_for(Players({"a": (count,)})), retry=at_once).compile(InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t"}, "run_id": uuid4()}
    assert (await graph.ainvoke(ASKED, config))["result"].output == "1"
    assert len((await graph.aget_state(config)).values["shared"]) == 1
