"""What a client asked of a run, as LangGraph takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from langgraph.types import Command, Send
from pydantic import BaseModel
from typing_extensions import TypedDict

from server.run_queue.shapes import Run
from server.streaming.execution import StreamOptions, stream_options
from server.streaming.inputs import graph_config, graph_context, graph_input, mirrored

RUN = Run(
    run_id=UUID(int=1),
    thread_id=UUID(int=2),
    assistant_id=UUID(int=3),
    graph_id="g",
    status="running",
    metadata={"created_by": "system", "graph_id": "g", "assistant_id": str(UUID(int=3)), "of_run": 1},
    kwargs={},
    multitask_strategy="enqueue",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    attempt=1,
    resumable=False,
    temporary=False,
    error=None,
)


def config_of(**kwargs: Any) -> Any:
    return graph_config(RUN, kwargs, attempt=2, api_version="1.2.3")


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"input": {"a": 1}}, {"a": 1}),
        ({"input": [1]}, [1]),
        ({"input": None}, None),
        ({}, None),
        ({"input": {"a": 1}, "command": None}, {"a": 1}),
        ({"command": {"resume": "yes"}}, Command(resume="yes")),
        ({"command": {"resume": {"a" * 32: 1, "b" * 32: 2}}}, Command(resume={"a" * 32: 1, "b" * 32: 2})),
        ({"command": {"update": {"a": 1}}}, Command(update={"a": 1})),
        ({"command": {"update": [["a", 1], ["b", 2]]}}, Command(update=[("a", 1), ("b", 2)])),
        ({"command": {"update": [1, 2]}}, Command(update=[1, 2])),
        ({"command": {"goto": "n"}}, Command(goto=["n"])),
        ({"command": {"goto": {"node": "n", "input": 1}}}, Command(goto=[Send("n", 1)])),
        ({"command": {"goto": ["a", {"node": "n"}]}}, Command(goto=["a", Send("n", None)])),
    ],
    ids=str,
)
def test_input_or_command(kwargs: dict[str, Any], expected: object) -> None:
    assert graph_input(kwargs) == expected


@pytest.mark.parametrize(
    "key", ["thread_id", "run_id", "graph_id", "assistant_id", "user_id", "__pregel_send", "langgraph_auth_user_id"]
)
def test_a_client_cannot_say_what_only_the_server_says(key: str) -> None:
    own = config_of()["configurable"]
    said = config_of(config={"configurable": {key: "evil"}})["configurable"]
    assert said == own


def test_a_clients_own_settings_metadata_and_limits_are_kept() -> None:
    given = {"configurable": {"model": "m"}, "metadata": {"k": 1}, "tags": ["t"], "recursion_limit": 7}
    config = config_of(config=given)
    assert config["configurable"]["model"] == "m"
    assert (config["metadata"]["k"], config["metadata"]["of_run"], config["metadata"]["run_attempt"]) == (1, 1, 2)
    assert (config["tags"], config["recursion_limit"]) == (["t"], 7)


def test_the_config_names_run_thread_and_graph() -> None:
    config = config_of()
    assert (config["run_id"], config["run_name"]) == (RUN.run_id, "g")
    assert config["configurable"]["thread_id"] == str(RUN.thread_id)
    assert config["metadata"]["langgraph_api_version"] == "1.2.3"


def test_a_fork_names_its_checkpoint_but_never_another_thread() -> None:
    asked = {"thread_id": "evil", "checkpoint_id": "c", "checkpoint_ns": "", "checkpoint_map": {"": "c"}}
    configurable = config_of(checkpoint=asked)["configurable"]
    assert (configurable["checkpoint_id"], configurable["checkpoint_map"]) == ("c", {"": "c"})
    assert configurable["thread_id"] == str(RUN.thread_id)


class Typed(TypedDict):
    model: str


class Modelled(BaseModel):
    model: str


@dataclass
class Classed:
    model: str


class Empty:
    """A class that says nothing of its fields."""


@pytest.mark.parametrize("schema", [Typed, Modelled, Classed])
def test_a_context_is_cut_to_its_schema(schema: type) -> None:
    assert graph_context({"context": {"model": "m", "other": 1}}, schema) == {"model": "m"}


@pytest.mark.parametrize("schema", [None, Empty])
def test_without_fields_to_go_by_a_context_is_whole(schema: type | None) -> None:
    assert graph_context({"context": {"model": "m", "other": 1}}, schema) == {"model": "m", "other": 1}


@pytest.mark.parametrize(
    "kwargs", [{}, {"context": {}}, {"context": {"other": 1}}, {"config": {"configurable": {}}}], ids=str
)
def test_a_context_of_nothing_is_none(kwargs: dict[str, Any]) -> None:
    assert graph_context(kwargs, Typed) is None


def test_configurable_stands_for_context_without_what_only_the_server_says() -> None:
    kwargs = {"config": {"configurable": {"model": "m", "thread_id": "evil", "__pregel_send": 1}}}
    assert graph_context(kwargs, None) == {"model": "m"}


def test_a_context_is_mirrored_but_never_over_what_the_server_says() -> None:
    config = mirrored(config_of(), {"model": "m", "thread_id": "evil"})
    assert config["configurable"]["model"] == "m"
    assert config["configurable"]["thread_id"] == str(RUN.thread_id)


def test_where_configurable_only_repeats_the_context_the_cut_context_counts() -> None:
    said = {"model": "m", "other": 1}
    kwargs = {"context": said, "config": {"configurable": {**said, "__context_provided__": True}}}
    config = mirrored(config_of(**kwargs), graph_context(kwargs, Typed))
    assert config["configurable"]["model"] == "m"
    assert "other" not in config["configurable"]


def test_a_context_leaves_the_crew_or_flow_that_an_assistant_is() -> None:
    assistants = {"crew": {"agents": []}, "flow": {"nodes": []}}
    kwargs = {"context": {"model": "m"}, "config": {"configurable": {**assistants, "__context_provided__": True}}}
    assert assistants.items() <= config_of(**kwargs)["configurable"].items()


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, StreamOptions()),
        ({"stream_mode": []}, StreamOptions()),
        ({"stream_mode": "updates"}, StreamOptions(modes=("updates",))),
        ({"stream_mode": ["values", "custom"]}, StreamOptions(("values", "custom"))),
        ({"subgraphs": True}, StreamOptions(subgraphs=True)),
        (
            {"interrupt_before": "*", "interrupt_after": ["a"]},
            StreamOptions(interrupt_before="*", interrupt_after=["a"]),
        ),
        ({"interrupt_before": []}, StreamOptions()),
        ({"durability": "sync"}, StreamOptions(durability="sync")),
        ({"checkpoint_during": False}, StreamOptions(durability="exit")),
        ({"checkpoint_during": False, "durability": "async"}, StreamOptions()),
    ],
    ids=str,
)
def test_how_a_run_is_streamed(kwargs: dict[str, Any], expected: StreamOptions) -> None:
    assert stream_options(kwargs) == expected
