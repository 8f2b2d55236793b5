"""Counting a run's model calls beside the callbacks that its graph has of its own."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import uuid4

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph

from server.streaming.execution import StreamOptions, calling_back, run_graph
from server.streaming.modes import Outcome, unwatched
from server.telemetry.meters import new_telemetry


class State(TypedDict):
    said: str


class Own(BaseCallbackHandler):
    """An application's."""

    def __init__(self) -> None:
        self.ended = 0

    def on_llm_end(self, *said: Any, **more: Any) -> None:
        self.ended += 1


async def speak(state: State) -> State:
    return {"said": str((await FakeListChatModel(responses=["hello"]).ainvoke("hi")).content)}


async def test_a_graph_keeps_its_callbacks_and_streams_as_without_ours() -> None:
    graph = StateGraph(State)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    graph.add_edge("speak", END)
    own, telemetry = Own(), new_telemetry()
    compiled = graph.compile(InMemorySaver()).with_config(callbacks=[own])
    options = StreamOptions(modes=("values", "updates", "messages-tuple", "tasks"))
    run = telemetry.runs.begin("spoken", attempt=1, waited_sec=0.0)
    told = []
    for watched in (False, True):
        config = RunnableConfig(run_id=uuid4(), configurable={"thread_id": uuid4().hex})
        events = run_graph(
            compiled,
            {"said": ""},
            calling_back(compiled, config, run.models) if watched else config,
            context=None,
            options=options,
            outcome=Outcome(),
            watch=run.task if watched else unwatched,
        )
        told.append([name async for name, _ in events])
    run.end("success")
    assert told[0] == told[1] and "messages" in told[0]
    assert own.ended == 2
    value = telemetry.registry.get_sample_value
    assert value("lab_node_seconds_count", {"graph": "spoken", "node": "speak", "outcome": "completed"}) == 1.0
    assert [
        sample.value
        for family in telemetry.registry.collect()
        for sample in family.samples
        if sample.name == "lab_model_calls_total"
    ] == [1.0]
