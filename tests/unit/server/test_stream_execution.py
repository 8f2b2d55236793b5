"""A graph's run as events, and what it leaves behind. Over the wire: tests/acceptance/protocol/test_stream_modes.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any
from uuid import uuid4

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.errors import GraphDrained
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from server.streaming.execution import AnyGraph, StreamOptions, run_graph
from server.streaming.frames import Frame, frames_of, lines_of
from server.streaming.modes import Outcome


def joined(old: list[str], new: list[str]) -> list[str]:
    return old + new


class State(TypedDict, total=False):
    said: Annotated[list[str], joined]
    note: str


class Shown(TypedDict):
    said: list[str]


def graph_of(*names: str, asks: str = "", fails: str = "", shown: type = State) -> AnyGraph:
    """Nodes in a row: each says its name, one asks first, one fails."""
    built = StateGraph(State, output_schema=shown)

    def node(name: str) -> Any:
        async def step(state: State) -> State:
            if name == fails:
                raise ValueError("broke")
            return {"said": [f"{name}:{interrupt(name)}" if name == asks else name]}

        return step

    for name in names:
        built.add_node(name, node(name))
    for before, after in zip((START, *names), (*names, END), strict=True):
        built.add_edge(before, after)
    return built.compile(checkpointer=InMemorySaver())


def config_of(thread_id: str = "") -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id or str(uuid4())}, "run_id": uuid4()}


async def run(
    graph: AnyGraph,
    given: Any,
    *modes: str,
    config: RunnableConfig | None = None,
    control: RunControl | None = None,
    **options: Any,
) -> tuple[list[tuple[str, Any]], Outcome]:
    outcome = Outcome()
    events = run_graph(
        graph,
        given,
        config or config_of(),
        context=None,
        options=StreamOptions(modes=modes or ("values",), **options),
        outcome=outcome,
        control=control,
    )
    return [(name, json.loads(data)) async for name, data in events], outcome


@pytest.mark.parametrize("modes", [("values",), ("updates",), ("custom",), ("events",), ("events", "values")], ids=str)
async def test_whatever_is_streamed_the_state_is_known_at_the_end(modes: tuple[str, ...]) -> None:
    _, outcome = await run(graph_of("a", "b", shown=Shown), {"note": "n"}, *modes)
    assert outcome.values == {"said": ["a", "b"], "note": "n"}
    assert (outcome.next, outcome.interrupts, outcome.interrupted) == ((), {}, False)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_the_last_checkpoint_is_the_threads_newest(durability: str) -> None:
    graph, config = graph_of("a", "b"), config_of()
    _, outcome = await run(graph, {}, config=config, durability=durability)
    state = await graph.aget_state({"configurable": {"thread_id": config["configurable"]["thread_id"]}})
    assert outcome.checkpoint is not None
    assert outcome.checkpoint["checkpoint_id"] == state.config["configurable"]["checkpoint_id"]


async def test_a_question_is_kept_by_its_task_and_goes_with_its_answer() -> None:
    graph, config = graph_of("a", "b", asks="b"), config_of()
    _, asked = await run(graph, {}, config=config)
    state = await graph.aget_state(config)
    (task,) = state.tasks
    assert asked.interrupts == {task.id: [{"id": task.interrupts[0].id, "value": "b"}]}
    assert (asked.next, asked.interrupted) == (("b",), True)
    _, answered = await run(graph, Command(resume="yes"), config=config)
    assert (answered.interrupts, answered.next) == ({}, ())
    assert answered.values["said"] == ["a", "b:yes"]


async def test_of_two_that_ask_at_once_the_one_that_is_answered_asks_no_more() -> None:
    def asking(name: str) -> Any:
        def ask(state: State) -> State:
            while (answer := interrupt(name)) == "":
                pass
            return {"said": [f"{name}:{answer}"]}

        return ask

    builder = StateGraph(State).add_node("a", asking("a")).add_node("b", asking("b"))
    graph = builder.add_edge(START, "a").add_edge(START, "b").compile(checkpointer=InMemorySaver())
    config = config_of()
    _, both = await run(graph, {}, config=config)
    ids = {asked["value"]: asked["id"] for (asked,) in both.interrupts.values()}
    _, one = await run(graph, Command(resume={ids["a"]: "yes"}), config=config)
    _, again = await run(graph, Command(resume={ids["b"]: ""}), config=config)
    for outcome in (one, again):
        assert [asked["value"] for (asked,) in outcome.interrupts.values()] == ["b"]


async def test_before_a_breakpoint_a_run_is_interrupted_and_asks_nothing() -> None:
    events, outcome = await run(graph_of("a", "b"), {}, "updates", interrupt_before=["b"])
    assert events[-1] == ("updates", {"__interrupt__": []})
    assert (outcome.next, outcome.interrupts, outcome.interrupted) == (("b",), {}, True)


async def test_an_error_comes_after_what_was_said_and_leaves_the_state() -> None:
    outcome, told = Outcome(), []
    events = run_graph(
        graph_of("a", "b", fails="b"), {}, config_of(), context=None, options=StreamOptions(), outcome=outcome
    )
    with pytest.raises(ValueError, match="broke"):
        async for name, data in events:
            told.append((name, json.loads(data)))
    assert told == [("values", {"said": ["a"]})]
    assert outcome.values == {"said": ["a"]}


async def test_a_drained_run_stops_at_a_checkpoint() -> None:
    control, outcome = RunControl(), Outcome()

    async def ask_to_stop(state: State) -> State:
        control.request_drain()
        return {"said": ["asked"]}

    async def never(state: State) -> State:
        return {"said": ["never"]}

    built = StateGraph(State)
    built.add_node("ask_to_stop", ask_to_stop)
    built.add_node("never", never)
    built.add_edge(START, "ask_to_stop")
    built.add_edge("ask_to_stop", "never")
    graph = built.compile(checkpointer=InMemorySaver())
    events = run_graph(graph, {}, config_of(), context=None, options=StreamOptions(), outcome=outcome, control=control)
    told = []
    with pytest.raises(GraphDrained):
        async for _, data in events:
            told.append(json.loads(data))
    assert told == [{"said": ["asked"]}]
    assert (outcome.values, outcome.next) == ({"said": ["asked"]}, ("never",))


async def test_closing_the_stream_stops_the_node_at_work() -> None:
    stopped = asyncio.Event()

    async def endless(state: State) -> State:
        get_stream_writer()("at work")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return {}

    built = StateGraph(State)
    built.add_node("endless", endless)
    built.add_edge(START, "endless")
    graph = built.compile(checkpointer=InMemorySaver())
    options = StreamOptions(modes=("custom",))
    events = run_graph(graph, {}, config_of(), context=None, options=options, outcome=Outcome())
    async with aclosing(events):
        assert await anext(events) == ("custom", b'"at work"')
    await asyncio.wait_for(stopped.wait(), 5)


OUTPUTS: list[tuple[tuple[str, ...], Any]] = [
    (("values",), {"said": ["a"]}),
    (("updates",), None),
    (("values", "updates"), {"said": ["a"]}),
]


@pytest.mark.parametrize(("modes", "expected"), OUTPUTS, ids=str)
async def test_the_output_is_the_last_values_streamed(modes: tuple[str, ...], expected: Any) -> None:
    _, outcome = await run(graph_of("a", shown=Shown), {"note": "n"}, *modes)
    assert (outcome.output and json.loads(outcome.output)) == expected


ASKED: list[tuple[tuple[str, ...], list[str], int]] = [
    (("values",), ["said", "__interrupt__"], 1),
    (("updates",), ["__interrupt__"], 1),
    (("values", "updates"), ["__interrupt__"], 2),
]


@pytest.mark.parametrize(("modes", "keys", "times"), ASKED, ids=str)
async def test_the_output_of_a_run_that_asks_is_its_questions(
    modes: tuple[str, ...], keys: list[str], times: int
) -> None:
    _, outcome = await run(graph_of("a", asks="a"), {"said": ["x"]}, *modes)
    assert outcome.output is not None
    output = json.loads(outcome.output)
    assert (list(output), len(output["__interrupt__"])) == (keys, times)


async def _speak(state: MessagesState) -> dict[str, Any]:
    model = GenericFakeChatModel(messages=iter([AIMessage("one two", id="m")]))
    hidden = GenericFakeChatModel(messages=iter([AIMessage("hidden", id="h")]))
    await hidden.with_config(tags=["langsmith:nostream"]).ainvoke("x")
    return {"messages": [await model.ainvoke("x")]}


@pytest.fixture
def speaking() -> AnyGraph:
    built = StateGraph(MessagesState)
    built.add_node("speak", _speak)
    built.add_edge(START, "speak")
    return built.compile(checkpointer=InMemorySaver())


async def test_chunks_of_one_call_carry_the_same_metadata(speaking: AnyGraph) -> None:
    events, _ = await run(speaking, {"messages": []}, "messages-tuple")
    assert [data[0]["content"] for _, data in events] == ["one", " ", "two"]
    assert all(data[1] == events[0][1][1] for _, data in events)
    assert events[0][1][1]["langgraph_node"] == "speak"


async def test_partial_messages_repeat_what_came_before(speaking: AnyGraph) -> None:
    events, _ = await run(speaking, {"messages": []}, "messages")
    assert [name for name, _ in events] == ["messages/metadata", *["messages/partial"] * 3]
    assert [data[0]["content"] for _, data in events[1:]] == ["one", "one ", "one two"]


async def test_hidden_parts_of_a_graph_are_no_events() -> None:
    events, _ = await run(graph_of("a"), {"note": "n"}, "events")
    assert "__start__" not in [data["name"] for _, data in events]


def test_the_log_keeps_the_names_of_nodes_with_spaces() -> None:
    frames = [Frame(1, "values|my node:1|a b:2", b'{"a": 1}'), Frame(2, "end", b"null")]
    assert frames_of(1, lines_of(frames)) == frames


async def test_events_are_one_line_each(speaking: AnyGraph) -> None:
    async def raw() -> AsyncIterator[bytes]:
        options = StreamOptions(modes=("values", "debug", "messages-tuple"))
        async for _, data in run_graph(
            speaking, {"messages": ["a\nb"]}, config_of(), context=None, options=options, outcome=Outcome()
        ):
            yield data

    assert not [data async for data in raw() if b"\n" in data]
