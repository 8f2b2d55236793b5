"""A client's body as a run: defaults, what is merged, what is refused; where a listener begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from server.routes.run_streams import after_of
from server.routes.streamed import is_heard
from server.routes.thread_stream import Position, position_of
from server.run_queue.asking import new_run
from server.run_queue.shapes import Run, RunStatus
from server.streaming.sse import frame
from server.wire.runs import run_json
from state.errors import BadRequest, Malformed

THREAD, ID = UUID(int=1), UUID(int=7)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHECKPOINT = "1ef00000-0000-6000-8000-000000000000"


@dataclass(frozen=True)
class Assistant:
    assistant_id: UUID = ID
    graph_id: str = "g"
    config: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


ASSISTANT = Assistant(
    config={"tags": ["a"], "recursion_limit": 5, "configurable": {"color": "red", "size": 1}},
    context={"size": 1},
    metadata={"who": "assistant", "kept": True},
)


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        ({}, "stream_mode", ["values"]),
        ({"stream_mode": "updates"}, "stream_mode", ["updates"]),
        ({"stream_mode": []}, "stream_mode", ["values"]),
        ({"stream_mode": ["values", "debug", "values"]}, "stream_mode", ["values", "debug"]),
        ({}, "durability", "async"),
        ({"checkpoint_during": False}, "durability", "exit"),
        ({"checkpoint_during": False, "durability": "sync"}, "durability", "sync"),
        ({}, "checkpoint_during", True),
        ({"stream_subgraphs": True}, "subgraphs", True),
        ({"stream_resumable": True}, "resumable", True),
        ({"interrupt_before": "*"}, "interrupt_before", "*"),
        ({"interrupt_after": ["n"]}, "interrupt_after", ["n"]),
        ({"input": {"x": 1}}, "input", {"x": 1}),
        ({"command": {"resume": 1}}, "command", {"resume": 1}),
    ],
)
def test_kwargs_hold_what_is_asked(body: dict[str, Any], name: str, value: object) -> None:
    assert new_run(body, Assistant(), thread_id=THREAD).kwargs[name] == value


def test_the_runs_settings_stand_over_the_assistants() -> None:
    body = {"config": {"tags": ["r"], "configurable": {"color": "blue"}}}
    config = new_run(body, ASSISTANT, thread_id=THREAD).kwargs["config"]
    assert (config["tags"], config["recursion_limit"]) == (["r"], 5)
    assert (config["configurable"]["color"], config["configurable"]["size"]) == ("blue", 1)


@pytest.mark.parametrize("body", [{"context": {"size": 2}}, {"config": {"configurable": {"size": 2}}}])
def test_context_and_configurable_stand_for_each_other(body: dict[str, Any]) -> None:
    kwargs = new_run(body, ASSISTANT, thread_id=THREAD).kwargs
    assert (kwargs["context"]["size"], kwargs["config"]["configurable"]["size"]) == (2, 2)


def test_context_and_configurable_at_once_are_refused() -> None:
    with pytest.raises(Malformed, match="Cannot specify both"):
        new_run({"context": {"a": 1}, "config": {"configurable": {"b": 1}}}, Assistant(), thread_id=THREAD)


def test_metadata_of_the_run_wins() -> None:
    body = {"metadata": {"who": "run"}, "config": {"metadata": {"who": "config", "more": 1}}}
    metadata = new_run(body, ASSISTANT, thread_id=THREAD).metadata
    assert metadata == {"who": "run", "kept": True, "more": 1, "assistant_id": str(ASSISTANT.assistant_id)}


@pytest.mark.parametrize(
    ("body", "checkpoint"),
    [
        ({"checkpoint_id": CHECKPOINT}, {"checkpoint_id": CHECKPOINT}),
        (
            {"checkpoint": {"checkpoint_id": "c", "thread_id": "other", "checkpoint_ns": ""}},
            {"checkpoint_id": "c", "checkpoint_ns": ""},
        ),
        ({"config": {"configurable": {"checkpoint_id": "c", "thread_id": "other"}}}, {"checkpoint_id": "c"}),
        ({"checkpoint": {"checkpoint_id": "c"}, "checkpoint_id": CHECKPOINT}, {"checkpoint_id": CHECKPOINT}),
        ({}, None),
        ({"checkpoint": {}}, None),
    ],
)
def test_a_checkpoint_is_of_the_runs_own_thread(body: dict[str, Any], checkpoint: dict[str, Any] | None) -> None:
    assert new_run(body, Assistant(), thread_id=THREAD).kwargs.get("checkpoint") == checkpoint


def test_a_run_without_a_thread_begins_at_no_checkpoint() -> None:
    assert "checkpoint" not in new_run({"checkpoint_id": CHECKPOINT}, Assistant()).kwargs


@pytest.mark.parametrize(
    "body",
    [
        {"checkpoint_id": "nope"},
        {"checkpoint_id": 3},
        {"after_seconds": float("inf")},
        {"after_seconds": float("nan")},
        {"after_seconds": 1e12},
        {"config": {"metadata": 3}},
        {"config": {"callbacks": [1]}},
        {"interrupt_before": 3},
        {"interrupt_after": [3]},
    ],
)
def test_what_cannot_be_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        new_run(body, Assistant(), thread_id=THREAD)


@pytest.mark.parametrize(("seconds", "waits"), [(None, 0.0), (-1, 0.0), (0, 0.0), (2.5, 2.5)])
def test_a_run_waits_as_long_as_asked(seconds: float | None, waits: float) -> None:
    assert new_run({"after_seconds": seconds}, Assistant(), thread_id=THREAD).after_seconds == waits


@pytest.mark.parametrize(
    ("thread", "on_completion", "temporary"),
    [
        (None, None, True),
        (None, "delete", True),
        (None, "keep", False),
        (THREAD, None, False),
        (THREAD, "delete", False),
    ],
)
def test_only_a_thread_made_for_the_run_goes_with_it(
    thread: UUID | None, on_completion: str | None, temporary: bool
) -> None:
    run = new_run({"on_completion": on_completion}, Assistant(), thread_id=thread)
    assert (run.temporary, run.kwargs["temporary"]) == (temporary, temporary)


def a_run(status: RunStatus = "success", *, resumable: bool = True, **kwargs: Any) -> Run:
    asked = new_run({"input": {}, **kwargs}, Assistant(), thread_id=THREAD, heard=bool(kwargs.get("heard")))
    return Run(
        UUID(int=2), THREAD, asked.assistant_id, "g", status, asked.metadata, asked.kwargs, "enqueue", NOW, NOW, 1,
        resumable, False, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("run", "last", "age", "after"),
    [
        (a_run(), "-1", 60, 0),
        (a_run(), "7", 60, 7),
        (a_run(), "bad", 60, None),
        (a_run(), "²", 60, None),
        (a_run(), None, 60, None),
        (a_run(resumable=False), "-1", 60, None),
        (a_run(resumable=False), "7", 60, None),
        (a_run("pending"), None, 60, 0),
        (a_run("running"), None, 60, None),
        (a_run("running"), None, 0.1, 0),
        (a_run(), None, 0.1, 0),
        (a_run(heard=True), None, 0.1, None),
        (a_run(), "9" * 30, 60, 2**62),
    ],
)
def test_where_a_listener_begins(run: Run, last: str | None, age: float, after: int | None) -> None:
    assert after_of(run, last, NOW + timedelta(seconds=age)) == after


@pytest.mark.parametrize(
    ("name", "modes", "heard"),
    [
        ("values", {"values"}, True),
        ("values|child:1", {"values"}, True),
        ("metadata", {"values"}, False),
        ("messages/partial", {"messages"}, True),
        ("messages/complete|a:1", {"messages"}, True),
        ("messages", {"messages-tuple"}, True),
        ("messages/partial", {"messages-tuple"}, False),
        ("error", {"updates"}, False),
    ],
)
def test_which_events_belong_to_a_mode(name: str, modes: set[str], heard: bool) -> None:
    assert is_heard(name, frozenset(modes)) is heard


@pytest.mark.parametrize(
    ("text", "position"), [(None, None), ("", None), ("-", Position(0, 0)), ("12-3", Position(12, 3))]
)
def test_where_a_listener_to_a_thread_was(text: str | None, position: Position | None) -> None:
    assert position_of(text) == position


@pytest.mark.parametrize("text", ["-1", "x", "1", "1-", "1-2-3", "1" * 40 + "-1", "１-1"])
def test_a_position_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        position_of(text)


def test_a_frame_is_these_bytes() -> None:
    assert frame("values", b"{}") == b"event: values\r\ndata: {}\r\n\r\n"
    assert frame("values", b"{}", "7") == b"event: values\r\ndata: {}\r\nid: 7\r\n\r\n"


def test_a_run_shows_nothing_of_the_servers_own_notes() -> None:
    shown = run_json(a_run(heard=True, checkpoint={"checkpoint_id": "c"}))["kwargs"]
    assert not {"heard", "checkpoint"} & set(shown)
    assert shown["config"]["configurable"]["checkpoint_id"] == "c"


def test_a_client_cannot_name_run_or_thread_as_shown() -> None:
    run = a_run(config={"configurable": {"thread_id": "other", "run_id": "other"}})
    configurable = run_json(run)["kwargs"]["config"]["configurable"]
    assert (configurable["thread_id"], configurable["run_id"]) == (str(THREAD), str(UUID(int=2)))
