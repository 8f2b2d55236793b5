"""What a change makes of an assistant, and how its bodies are read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from server.db.assistant_shapes import Assistant, AssistantChange, changed, system_id
from server.wire.answers import Page, page_of
from server.wire.assistants import assistant_change, assistant_json, mirrored, new_assistant, stamp
from state.errors import BadRequest, Malformed

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BASE = Assistant(
    assistant_id=UUID(int=1),
    graph_id="one",
    config={"tags": ["t"]},
    context={"a": 1},
    metadata={"k": 1},
    name="Base",
    created_at=NOON,
    updated_at=NOON,
    version=3,
    description="d",
)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (AssistantChange(), {}),
        (AssistantChange(name="", description=""), {"name": "", "description": ""}),
        (AssistantChange(graph_id="two"), {"graph_id": "two"}),
        (AssistantChange(config={}), {}),
        (AssistantChange(config={"x": 1}), {"config": {"x": 1}}),
        (AssistantChange(context={}), {"context": {}}),
        (AssistantChange(metadata={"k": None, "z": 1}), {"metadata": {"k": None, "z": 1}}),
    ],
)
def test_a_change_keeps_what_it_does_not_name(change: AssistantChange, after: dict[str, Any]) -> None:
    assert asdict(changed(BASE, change)) == {**asdict(BASE), **after}


@pytest.mark.parametrize(
    ("config", "context", "config_after", "context_after"),
    [
        (None, None, None, None),
        ({}, {}, {}, {}),
        (None, {"a": 1}, {"configurable": {"a": 1}}, {"a": 1}),
        ({"configurable": {"a": 1}}, None, {"configurable": {"a": 1}}, {"a": 1}),
        ({"configurable": {}, "tags": []}, {"a": 1}, {"configurable": {"a": 1}, "tags": []}, {"a": 1}),
        ({"tags": ["t"]}, None, {"tags": ["t"]}, None),
    ],
)
def test_configurable_and_context_mirror_each_other(
    config: Any, context: Any, config_after: Any, context_after: Any
) -> None:
    after = mirrored(AssistantChange(config=config, context=context))
    assert (after.config, after.context) == (config_after, context_after)


def test_both_of_them_are_refused() -> None:
    with pytest.raises(Malformed, match="Cannot specify both configurable and context"):
        mirrored(AssistantChange(config={"configurable": {"a": 1}}, context={"a": 1}))


def test_a_bodys_config_is_held_against_its_own_schema() -> None:
    with pytest.raises(BadRequest, match=r'^5 is not of type "array"'):
        assistant_change({"config": {"tags": 5}})
    with pytest.raises(BadRequest, match=r"^Invalid assistant ID: must be a UUID$"):
        new_assistant({"graph_id": "one", "assistant_id": "x", "config": {"tags": 5}})


def test_an_id_is_drawn_where_none_is_named() -> None:
    one, two = new_assistant({"graph_id": "one"}), new_assistant({"graph_id": "one"})
    assert one.assistant_id != two.assistant_id


def test_system_ids_come_from_the_graphs_name_alone() -> None:
    assert system_id("steps") == UUID("01d10e59-d4b4-51ec-8e94-9b2716b34de8")


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-01-02T12:00:00.000000+00:00"),
        (datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-01T23:00:00.000000+00:00"),
        (NOON + timedelta(microseconds=5), "2026-01-02T12:00:00.000005+00:00"),
    ],
)
def test_times_are_told_in_utc_with_microseconds(moment: datetime, text: str) -> None:
    assert stamp(moment) == text


def test_selected_fields_keep_their_order() -> None:
    assert list(assistant_json(BASE, ["version", "name"])) == ["name", "version"]
    assert len(assistant_json(BASE)) == 10


@pytest.mark.parametrize(
    ("page", "found", "shown", "headers"),
    [
        (Page(2, 0), [], [], {"X-Pagination-Total": "0"}),
        (Page(2, 0), [1, 2], [1, 2], {"X-Pagination-Total": "2"}),
        (Page(2, 0), [1, 2, 3], [1, 2], {"X-Pagination-Total": "3", "X-Pagination-Next": "2"}),
        (Page(2, 4), [5, 6, 7], [5, 6], {"X-Pagination-Total": "7", "X-Pagination-Next": "6"}),
        (Page(2, 4), [5], [5], {"X-Pagination-Total": "5"}),
        (Page(2, 9), [], [], {"X-Pagination-Total": "9"}),
    ],
)
def test_a_page_shows_its_rows_and_says_whether_more_follow(
    page: Page, found: list[int], shown: list[int], headers: dict[str, str]
) -> None:
    assert (page.shown(found), page.headers(found)) == (shown, headers)


def test_a_page_takes_whole_floats() -> None:
    assert page_of({"limit": 2.0, "offset": 1e30}) == Page(2, 10**30 + 19884624838656)
    assert page_of({}) == Page(10, 0)
