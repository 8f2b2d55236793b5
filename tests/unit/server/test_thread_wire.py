"""Threads and states on the wire: what is decided without a server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import HumanMessage
from langgraph.types import Command, Interrupt, PregelTask, Send, StateSnapshot

from server.db.threads import Lifetime, Order, Thread, lists_in
from server.wire import states, threads
from state.errors import BadRequest, Malformed

ID = UUID("00000000-0000-4000-8000-000000000001")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ROOT = {"configurable": {"thread_id": str(ID), "checkpoint_ns": "", "checkpoint_id": "c1"}}


def thread(**changed: Any) -> Thread:
    given: dict[str, Any] = {
        "thread_id": ID,
        "graph_id": None,
        "status": "idle",
        "metadata": {},
        "config": {},
        "values": None,
        "interrupts": {},
        "error": None,
        "created_at": NOW,
        "updated_at": NOW,
        "state_updated_at": NOW,
        "lifetime": None,
        "expires_at": None,
    }
    return Thread(**given | changed)


def snapshot(**changed: Any) -> StateSnapshot:
    given: dict[str, Any] = {
        "values": {"a": 1},
        "next": (),
        "config": ROOT,
        "metadata": {"step": 1},
        "created_at": "then",
        "parent_config": None,
        "tasks": (),
        "interrupts": (),
    }
    return StateSnapshot(**given | changed)


@pytest.mark.parametrize(
    ("metadata", "graph_id", "graph"),
    [
        ({}, None, None),
        ({}, "a", "a"),
        ({"graph_id": "b"}, "a", "b"),
        ({"graph_id": 3}, "a", "3"),
        ({"graph_id": None}, "a", "a"),
    ],
)
def test_metadata_names_the_graph_before_the_row_does(metadata: Mapping[str, Any], graph_id: str, graph: str) -> None:
    assert thread(metadata=metadata, graph_id=graph_id).graph == graph


def test_times_are_told_in_utc_with_microseconds() -> None:
    told = threads.thread_view(thread(created_at=NOW.astimezone()))
    assert told["created_at"] == "2026-01-02T03:04:05.000000+00:00"


def test_error_and_interrupts_are_told_once_a_thread_has_had_a_state() -> None:
    assert "error" not in threads.thread_view(thread())
    used = threads.thread_view(thread(state_updated_at=NOW + timedelta(microseconds=1)))
    assert (used["error"], used["interrupts"]) == (None, {})


@pytest.mark.parametrize(
    ("ttl", "lifetime"),
    [
        ({}, None),
        ({"strategy": "keep_latest"}, None),
        ({"ttl": 5}, Lifetime("delete", 5)),
        ({"ttl": 0.5, "strategy": "keep_latest"}, Lifetime("keep_latest", 0.5)),
    ],
)
def test_a_lifetime_is_one_only_with_minutes(ttl: Mapping[str, Any], lifetime: Lifetime | None) -> None:
    assert threads.lifetime_of({"ttl": ttl}) == lifetime


@pytest.mark.parametrize("minutes", [0, -1, 1e12])
def test_a_lifetime_beyond_reason_is_refused(minutes: float) -> None:
    with pytest.raises(BadRequest, match="must be more than 0"):
        threads.lifetime_of({"ttl": {"ttl": minutes}})


def test_a_searched_id_that_is_none_cannot_be_read() -> None:
    with pytest.raises(Malformed, match="Invalid thread ID zz"):
        threads.filter_of({"ids": ["zz"]})


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({}, Order()),
        ({"sort_order": "asc"}, Order("updated_at", "desc")),
        ({"sort_by": "status"}, Order("status", "desc")),
        ({"sort_by": "status", "sort_order": "asc"}, Order("status", "asc")),
        ({"select": ["status"]}, Order(with_values=False)),
        ({"select": ["values"]}, Order()),
        ({"select": ["status"], "extract": {"a": "values.b"}}, Order()),
        ({"select": ["status"], "extract": {"a": "metadata.b"}}, Order(with_values=False)),
    ],
)
def test_values_are_read_only_where_they_are_told(body: Mapping[str, Any], order: Order) -> None:
    assert threads.order_of(body) == order


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("values.a[0][-1]", 2),
        ("values.a[0]", [1, 2]),
        ("values.a[7]", None),
        ("values.a[-7]", None),
        ("values.a[0].b", None),
        ("values.a[", None),
        ("values.a]0[", None),
        ("values.a[99999999999999999999]", None),
        ("values..a[0][0]", 1),
        ("values.text[0]", None),
        ("values", {"a": [[1, 2]], "text": "x"}),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(path: str, value: object) -> None:
    assert threads.extracted({"values": {"a": [[1, 2]], "text": "x"}}, path) == value


@pytest.mark.parametrize(
    ("value", "lists"),
    [
        ({}, []),
        ({"a": 1, "b": {"c": [1, [2]]}}, [(("b", "c"), [1, [2]])]),
        ({"a": [{"b": [1]}], "c": []}, [(("a",), [{"b": [1]}]), (("c",), [])]),
    ],
)
def test_lists_are_found_where_they_stand_and_never_within_lists(value: object, lists: object) -> None:
    assert list(lists_in(value)) == lists


def test_more_threads_than_one_request_may_prune_are_refused() -> None:
    with pytest.raises(BadRequest, match="1001 threads"):
        threads.pruned_ids({"thread_ids": [str(ID)] * 1001})


def test_a_state_tells_graph_objects_as_they_are() -> None:
    message = HumanMessage("x")
    assert states.thread_state(snapshot(values={"messages": [message]}))["values"] == {"messages": [message]}


def test_a_state_adds_its_thread_to_the_metadata() -> None:
    assert states.thread_state(snapshot())["metadata"] == {"step": 1, "thread_id": str(ID)}


def test_what_is_ours_in_a_configuration_is_not_told() -> None:
    config = {"configurable": {**ROOT["configurable"], "__pregel_send": print, "user_id": "u", "checkpoint_map": {}}}
    told = states.thread_state(snapshot(config=config, parent_config=config))
    assert list(told["checkpoint"]) == list(told["parent_checkpoint"]) == list(states.CHECKPOINT_KEYS)


def test_a_state_of_nothing_has_no_checkpoint() -> None:
    nothing = states.empty_state()
    assert (nothing["checkpoint"], nothing["checkpoint_id"], nothing["metadata"]) == (None, None, None)


@pytest.mark.parametrize("error", [ValueError("why"), "ValueError('why')"])
def test_an_error_is_told_as_its_repr(error: Any) -> None:
    assert states.thread_task(PregelTask("1", "n", ("p",), error))["error"] == "ValueError('why')"


def test_a_schema_is_told_with_a_question_that_has_one() -> None:
    assert list(states.interrupt_of(Interrupt("q", "i"))) == ["id", "value"]
    asked = states.interrupt_of(Interrupt("q", "i", response_schema={"type": "string"}))
    assert asked["response_schema"] == {"type": "string"}


def test_tasks_that_ask_nothing_are_not_told_as_waiting() -> None:
    tasks = (PregelTask("1", "n", ()), PregelTask("2", "m", (), interrupts=(Interrupt("q", "i"),)))
    assert states.interrupts_by_task(snapshot(tasks=tasks)) == {"2": [{"id": "i", "value": "q"}]}


@pytest.mark.parametrize(
    ("checkpoint", "asked"),
    [
        (None, {}),
        ({}, {}),
        ({"thread_id": "other", "user_id": "u", "__pregel_read": 1}, {}),
        (
            {"checkpoint_ns": "n", "checkpoint_id": "c", "checkpoint_map": {}},
            {"checkpoint_ns": "n", "checkpoint_id": "c", "checkpoint_map": {}},
        ),
        ({"checkpoint_id": "a\0b"}, {"checkpoint_id": "a\ufffdb"}),
    ],
)
def test_a_request_names_checkpoints_and_nothing_else(checkpoint: Any, asked: Mapping[str, Any]) -> None:
    assert states.asked_checkpoint(ID, checkpoint) == {**asked, "thread_id": str(ID)}


@pytest.mark.parametrize(
    ("body", "before"),
    [
        ({}, None),
        ({"before": {}}, None),
        ({"before": {"checkpoint_id": "c"}}, "c"),
        ({"before": {"configurable": {"checkpoint_id": "d"}}}, "d"),
        ({"before": {"configurable": 3}}, None),
    ],
)
def test_a_history_ends_before_a_checkpoint_or_a_configuration(body: Mapping[str, Any], before: str | None) -> None:
    assert states.before_of(body) == before


@pytest.mark.parametrize(("text", "limit"), [("0", 0), ("-3", -3), ("7", 7), ("100000", 1000)])
def test_a_limit_is_bounded(text: str, limit: int) -> None:
    assert states.limit_of(text) == limit


def test_a_checkpoint_id_of_an_update_is_text() -> None:
    assert states.updated_checkpoint({"checkpoint_id": None}) == {}
    assert states.updated_checkpoint({"checkpoint": {"checkpoint_ns": "n"}, "checkpoint_id": "c"}) == {
        "checkpoint_ns": "n",
        "checkpoint_id": "c",
    }
    with pytest.raises(BadRequest):
        states.updated_checkpoint({"checkpoint_id": 3})


def test_a_superstep_s_command_is_its_value() -> None:
    command = {"update": {"a": 1}, "goto": {"node": "n", "input": 2}}
    ((update,),) = states.supersteps_of([{"updates": [{"command": command, "as_node": "x"}]}])
    assert update.values == Command(update={"a": 1}, goto=[Send("n", 2)])  # type: ignore[comparison-overlap]


@pytest.mark.parametrize(
    ("select", "chosen"),
    [
        ([], {"values": {"a": 1, "b": 2}, "next": []}),
        (["next"], {"next": []}),
        (["values.b", "values.c"], {"values": {"b": 2}}),
        (["values.b", "values"], {"values": {"a": 1, "b": 2}}),
    ],
)
def test_select_takes_fields_and_single_values(select: list[str], chosen: Mapping[str, Any]) -> None:
    assert {
        "next": [],
        **states.selected({**states.empty_state(), "values": {"a": 1, "b": 2}}, select),
    }.items() >= chosen.items()


def test_a_field_that_states_do_not_have_is_refused() -> None:
    states.check_select(["values", "values.x", "next"])
    with pytest.raises(BadRequest, match="secrets"):
        states.check_select(["secrets"])
