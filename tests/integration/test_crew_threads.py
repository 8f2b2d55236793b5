"""Crews on threads kept in Postgres: what a checkpoint holds, runs after runs, stops, and steps back in time."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from graphs.teams import TeamGraph
from server.application.graph_types import types_of
from server.db.pool import Database
from state.agent_ports import AgentCall
from state.agents import AgentReply
from state.crew_run import CrewResult, LogEntry, StepOutcome, Tried
from state.errors import AgentFailed, BadRequest
from state.messages import AgentMessage
from state.shared import SharedChange
from tests.fakes import FakeModels
from tests.unit.graphs.crewing import Players, choice, graph_of, reply

Graph = CompiledStateGraph[Any, Any, Any, Any]


def on(database: Database, graph: TeamGraph) -> Graph:
    """The graph with a saver that reads the types of its state and no others, as the server has it."""
    saver = database.checkpointer.with_allowlist(types_of(graph.compile()))
    return graph.compile(checkpointer=saver)


def thread() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4())}, "run_id": uuid4()}


def again(where: RunnableConfig) -> RunnableConfig:
    """Another run on the thread."""
    return {**where, "run_id": uuid4()}


async def noting(call: AgentCall) -> AgentReply:
    assert call.shared is not None
    call.shared.set("seen", [*call.shared.get("seen", []), call.agent_id])
    call.shared.set("own", call.agent_id, private=True)
    return reply(f"<{call.agent_id}>", input_tokens=1, model="tiny", next=None)


async def test_every_type_of_a_crews_state_comes_back_as_itself(database: Database) -> None:
    players = Players({"a": (noting,), "b": (AgentFailed("down"),), "c": (noting,)})
    graph, where = on(database, graph_of("sequential", players, "a", "b", "c")), thread()
    final = await graph.ainvoke({"messages": [HumanMessage("do it")], "input_data": {"n": [1, None]}}, where)
    kept = (await graph.aget_state(where)).values
    kinds = {"outcomes": StepOutcome, "agent_messages": AgentMessage, "shared": SharedChange, "log": LogEntry}
    for channel, kind in kinds.items():
        assert kept[channel] and all(type(one) is kind for one in kept[channel]), channel
    assert type(kept["result"]) is CrewResult and kept["result"] == final["result"]
    assert kept["outcomes"][1].tried == (Tried(agent_id="b", error="down"),)
    assert kept["given"] == {"n": [1, None]}
    assert [(change.namespace, change.value) for change in kept["shared"]] == [
        ("", ["a"]),
        ("a", "a"),
        ("", ["a", "c"]),
        ("c", "c"),
    ]


async def test_a_second_run_on_a_thread_begins_clean_and_keeps_messages_and_the_shared_context(
    database: Database,
) -> None:
    players = Players({"a": (noting,)})
    graph, where = on(database, graph_of("sequential", players, "a", "b")), thread()
    await graph.ainvoke({"query": "one", "input_data": {"topic": "cats"}}, where)
    await graph.ainvoke({"messages": [HumanMessage("two")]}, again(where))
    kept = (await graph.aget_state(where)).values
    assert [call.text for call in players.calls] == ["one", "one\n\na: <a>", "two", "two\n\na: <a>"]
    assert kept["task"] == "two" and kept["given"] == {} and kept["query"] == "" and kept["input_data"] == {}
    assert len(kept["outcomes"]) == 2 and len(kept["agent_messages"]) == 3 and len(kept["log"]) == 6
    assert [message.text for message in kept["messages"]] == ["<b>", "two", "<b>"]
    assert players.call("a").shared is not None and kept["shared"][-2].value == ["a", "a"]


async def test_a_run_that_failed_leaves_nothing_to_the_next_one(database: Database) -> None:
    players = Players({"a": (AgentFailed("down"), "up")})
    graph, where = on(database, graph_of("sequential", players, "a")), thread()
    with pytest.raises(AgentFailed, match="a: down"):
        await graph.ainvoke({"query": "one"}, where)
    assert (await graph.aget_state(where)).values["outcomes"][0].status == "failed"
    final = await graph.ainvoke({"query": "two"}, again(where))
    assert final["result"].output == "up" and len(final["result"].agents) == 1


async def test_the_message_of_a_run_that_failed_is_not_asked_in_place_of_what_the_next_one_is_sent(
    database: Database,
) -> None:
    players = Players({"a": (AgentFailed("down"), AgentFailed("down"), "up")})
    graph, where = on(database, graph_of("sequential", players, "a")), thread()
    for given in ({"messages": [HumanMessage("one")]}, {"input_data": {"topic": "cats"}}):
        with pytest.raises(AgentFailed):
            await graph.ainvoke(given, again(where))
    await graph.ainvoke({"input_data": {"n": 1}, "messages": [HumanMessage("two")]}, again(where))
    assert [call.text for call in players.calls] == ["one", "cats", "two"]


async def test_a_run_stops_before_an_agent_and_goes_on_without_asking_the_others_again(database: Database) -> None:
    relations = [{"source": "a", "target": ["b", "c"]}, {"source": ["b", "c"], "target": "d"}]
    players = Players()
    graph, where = on(database, graph_of("flow", players, "a", "b", "c", "d", flow_relations=relations)), thread()
    await graph.ainvoke({"query": "x"}, where, interrupt_before=["d"])
    assert (await graph.aget_state(where)).next == ("d",) and sorted(players.asked) == ["a", "b", "c"]
    final = await graph.ainvoke(None, where)
    assert players.asked[3:] == ["d"] and final["result"].output == "<d>"


async def test_an_agent_asks_a_human_while_its_siblings_answer_once(database: Database) -> None:
    async def asking(call: AgentCall) -> AgentReply:
        return reply(f"told {interrupt({'question': call.text})}")

    players = Players({"b": (asking,)})
    graph, where = on(database, graph_of("parallel", players, "a", "b", "c")), thread()
    stopped = await graph.ainvoke({"query": "which?"}, where)
    assert stopped["__interrupt__"][0].value == {"question": "which?"}
    final = await graph.ainvoke(Command(resume="that one"), where)
    assert final["result"].output == "a: <a>\n\nb: told that one\n\nc: <c>"
    assert sorted(players.asked) == ["a", "b", "b", "c"]


async def test_from_an_earlier_checkpoint_a_run_goes_on_with_another_answer(database: Database) -> None:
    players = Players()
    graph, where = on(database, graph_of("sequential", players, "a", "b", "c")), thread()
    await graph.ainvoke({"query": "x"}, where)
    before_c = await anext(state async for state in graph.aget_state_history(where) if state.next == ("c",))
    told = [message.to_agent for message in before_c.values["agent_messages"]]
    assert told == ["a", "b"], "a checkpoint holds the messages as they were then"

    outcome = before_c.values["outcomes"][-1].model_copy(update={"output": "mine", "text": "mine"})
    forked = await graph.aupdate_state(before_c.config, {"outcomes": [outcome]}, as_node="b")
    final = await graph.ainvoke(None, forked)
    assert players.asked == ["a", "b", "c", "c"] and players.call("c").text == "x\n\nb: mine"
    assert final["result"].output == "<c>"


async def test_a_run_that_goes_on_from_an_earlier_agent_has_each_answer_once_and_tells_none_of_the_later_ones(
    database: Database,
) -> None:
    players = Players()
    graph, where = on(database, graph_of("sequential", players, "a", "b", "c")), thread()
    await graph.ainvoke({"query": "x"}, where)
    forked = await graph.aupdate_state(where, {}, as_node="a")
    final = await graph.ainvoke(None, {**forked, "run_id": uuid4()})
    assert players.asked == ["a", "b", "c", "b", "c"]
    assert players.call("b").text == "x\n\na: <a>" and set(players.call("b").input["context"]["results"]) == {"a"}
    assert final["result"].agent_ids == ("a", "b", "c") and final["result"].metadata["steps"]["completed"] == 3


async def test_an_adaptive_crew_decides_where_somebody_wrote_into_the_thread_and_refuses_nobody(
    database: Database,
) -> None:
    graph, where = (
        on(database, graph_of("adaptive", Players(), "a", "b", models=FakeModels(choice("b"), choice("end")))),
        thread(),
    )
    await graph.aupdate_state(where, {"task": "x"}, as_node="a")
    final = await graph.ainvoke(None, again(where))
    assert final["result"].agent_ids == ("b",)
    with pytest.raises(BadRequest, match="no agent 'nobody'"):
        await graph.aupdate_state(where, {"choice": "nobody"}, as_node="decide")


async def test_of_a_run_that_was_cut_off_no_finished_agent_is_asked_again_however_many_wait(
    database: Database,
) -> None:
    """One place: the second agent has it when the run is cut off, and two more wait."""
    cut, forever = asyncio.Event(), asyncio.Event()

    async def stuck(call: AgentCall) -> AgentReply:
        cut.set()
        await forever.wait()
        return reply(f"<{call.agent_id}>")

    players = Players({"b": (stuck, "<b>")})
    graph = on(database, graph_of("parallel", players, "a", "b", "c", "d", max_parallel_tasks=1))
    where = thread()
    running = asyncio.create_task(graph.ainvoke({"query": "x"}, where))
    async with asyncio.timeout(10):
        await cut.wait()
        while not any(task.result for task in (await graph.aget_state(where)).tasks):
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert players.asked == ["a", "b"]
    final = await graph.ainvoke(None, where)
    assert final["result"].results == ("<a>", "<b>", "<c>", "<d>") and players.asked.count("a") == 1
