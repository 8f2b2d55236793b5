"""`RemoteGraph`: a served graph used as if it were here, alone and as a part of another graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteException, RemoteGraph
from langgraph.types import Command
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from typing_extensions import TypedDict

from tests.acceptance.protocol.talking import Talk

DONE = {"trail": ["a", "b", "c"], "note": "remote"}


class Remote:
    """Remote graphs over one server."""

    def __init__(self, client: LangGraphClient, sync_client: SyncLangGraphClient) -> None:
        self._clients = {"client": client, "sync_client": sync_client}

    def __call__(self, name: str) -> RemoteGraph:
        return RemoteGraph(name, **self._clients)  # type: ignore[arg-type]


@pytest.fixture
def remote(client: LangGraphClient, sync_client: SyncLangGraphClient) -> Iterator[Remote]:
    yield Remote(client, sync_client)


def on_thread(talk: Talk) -> RunnableConfig:
    return {"configurable": {"thread_id": talk.thread()}}


# --- invoke ----------------------------------------------------------------------------------------------------------


def test_it_is_invoked(remote: Remote) -> None:
    assert remote("steps").invoke({"note": "remote"}) == DONE


async def test_it_is_invoked_without_blocking(remote: Remote) -> None:
    assert await remote("steps").ainvoke({"note": "remote"}) == DONE


async def test_a_thread_keeps_its_state(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    await remote("steps").ainvoke({"note": "one"}, config)
    assert (await remote("steps").ainvoke({"note": "two"}, config))["trail"] == ["a", "b", "c"] * 2


async def test_an_error_of_the_graph_is_raised(remote: Remote) -> None:
    with pytest.raises(RemoteException) as raised:
        await remote("works").ainvoke({"fail": "boom"})
    assert raised.value.args[0] == {"error": "ValueError", "message": "boom"}


def test_an_error_of_the_graph_is_raised_to_those_who_block(remote: Remote) -> None:
    with pytest.raises(RemoteException) as raised:
        remote("works").invoke({"fail": "boom"})
    assert raised.value.args[0] == {"error": "ValueError", "message": "boom"}


async def test_a_recursion_limit_is_kept(remote: Remote) -> None:
    with pytest.raises(RemoteException) as raised:
        await remote("loop").ainvoke({"count": 0}, {"recursion_limit": 5})
    assert raised.value.args[0]["error"] == "GraphRecursionError"


async def test_configuration_reaches_the_node(remote: Remote) -> None:
    given = await remote("tells").ainvoke({}, {"tags": ["remote"], "configurable": {"color": "blue"}})
    assert given["told"]["configurable"] == {"color": "blue"}
    assert given["told"]["tags"] == ["remote"]


async def test_context_reaches_the_node(remote: Remote) -> None:
    given = await remote("tells").ainvoke({}, context={"model": "m", "depth": 2})
    assert given["told"]["context"] == {"model": "m", "depth": 2}


# --- stream ----------------------------------------------------------------------------------------------------------


async def test_values_are_streamed(remote: Remote) -> None:
    told = [part async for part in remote("steps").astream({"note": "x"}, stream_mode="values")]
    assert [part["trail"] for part in told] == [[], ["a"], ["a", "b"], ["a", "b", "c"]]


def test_updates_are_streamed(remote: Remote) -> None:
    told = list(remote("steps").stream({"note": "x"}, stream_mode="updates"))
    assert told == [{"a": {"trail": ["a"]}}, {"b": {"trail": ["b"]}}, {"c": {"trail": ["c"]}}]


async def test_custom_events_are_streamed(remote: Remote) -> None:
    told = [part async for part in remote("works").astream({"ticks": 3}, stream_mode="custom")]
    assert told == [{"tick": 0}, {"tick": 1}, {"tick": 2}]


async def test_messages_are_streamed(remote: Remote) -> None:
    message = {"messages": [{"role": "user", "content": "hi"}]}
    told: list[Any] = [part async for part in remote("tokens").astream(message, stream_mode="messages")]
    assert "".join(part[0]["content"] for part in told) == " ".join(f"w{n}" for n in range(100))
    assert told[0][1]["langgraph_node"] == "speak"


async def test_several_modes_are_told_apart(remote: Remote) -> None:
    stream: Any = remote("steps").astream({"note": "x"}, stream_mode=["updates", "values"])
    told = [part[0] async for part in stream]
    assert told == ["values", *["updates", "values"] * 3]


async def test_subgraphs_are_told_by_their_place(remote: Remote) -> None:
    stream = remote("asks_inside").astream({"trail": []}, stream_mode="updates", subgraphs=True)
    told: list[Any] = [part async for part in stream]
    places = [place for place, _ in told]
    assert places[0] == ()
    assert told[0][1] == {"first": {"trail": ["first"]}}
    assert any(place and place[0].startswith("child:") for place in places)


async def test_debug_events_are_streamed(remote: Remote, talk: Talk) -> None:
    stream = remote("steps").astream({"note": "x"}, on_thread(talk), stream_mode="debug")
    told: list[Any] = [part async for part in stream]
    assert {"checkpoint", "task", "task_result"} == {part["type"] for part in told}


# --- state -----------------------------------------------------------------------------------------------------------


def test_the_state_is_read(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    remote("steps").invoke({"note": "remote"}, config)
    state = remote("steps").get_state(config)
    assert (state.values, state.next) == (DONE, ())
    assert state.config["configurable"]["thread_id"] == config["configurable"]["thread_id"]


async def test_the_history_is_read(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    await remote("steps").ainvoke({"note": "remote"}, config)
    states = [state async for state in remote("steps").aget_state_history(config, limit=10)]
    assert [state.next for state in states] == [(), ("c",), ("b",), ("a",), ("__start__",)]


async def test_the_state_is_changed(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    await remote("steps").ainvoke({"note": "remote"}, config)
    changed = await remote("steps").aupdate_state(config, {"note": "changed"}, as_node="b")
    assert changed["configurable"]["thread_id"] == config["configurable"]["thread_id"]
    state = await remote("steps").aget_state(config)
    assert (state.values["note"], state.next) == ("changed", ("c",))


def test_the_state_is_changed_by_those_who_block(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    remote("steps").invoke({"note": "remote"}, config)
    remote("steps").update_state(config, {"note": "changed"})
    assert remote("steps").get_state(config).values["note"] == "changed"


# --- questions -------------------------------------------------------------------------------------------------------


async def test_a_question_is_given_and_answered(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    given = await remote("asks").ainvoke({"trail": []}, config)
    assert given["__interrupt__"][0]["value"] == {"question": "ask?"}
    assert (await remote("asks").aget_state(config)).next == ("ask",)
    done = await remote("asks").ainvoke(Command(resume="yes"), config)
    assert done == {"trail": ["before", "ask", "after"], "answers": ["yes"]}


async def test_it_stops_before_a_node(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    await remote("steps").ainvoke({"note": "remote"}, config, interrupt_before=["c"])
    assert (await remote("steps").aget_state(config)).next == ("c",)
    assert await remote("steps").ainvoke(None, config) == DONE


# --- its looks, and as a part ----------------------------------------------------------------------------------------


def test_its_drawing_is_that_of_the_served_graph(remote: Remote) -> None:
    assert list(remote("steps").get_graph().nodes) == ["__start__", "a", "b", "c", "__end__"]


async def test_its_drawing_shows_its_edges(remote: Remote) -> None:
    drawn = await remote("steps").aget_graph()
    assert ("a", "b") in [(edge.source, edge.target) for edge in drawn.edges]


class Whole(TypedDict, total=False):
    trail: list[str]
    note: str


def _with_part(part: RemoteGraph) -> Any:
    built = StateGraph(Whole)
    built.add_node("mine", lambda state: {"note": "remote"})
    built.add_node("theirs", part)
    built.add_edge(START, "mine")
    built.add_edge("mine", "theirs")
    built.add_edge("theirs", END)
    return built.compile(checkpointer=InMemorySaver())


async def test_it_is_a_part_of_another_graph(remote: Remote) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}
    with_part = _with_part(remote("steps"))
    assert await with_part.ainvoke({"trail": []}, config) == DONE


def test_it_is_a_part_of_a_graph_that_blocks(remote: Remote) -> None:
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}
    assert _with_part(remote("steps")).invoke({"trail": []}, config) == DONE


async def test_a_question_inside_a_part_stops_the_whole(remote: Remote, talk: Talk) -> None:
    config = on_thread(talk)
    given = await _with_part(remote("asks")).ainvoke({"trail": []}, config)
    assert given["__interrupt__"][0].value == {"question": "ask?"}
