"""Which statements of many callers become one, and in which order the rest comes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

from server.db import grouped, run_events
from server.db.committing import Statement, Together, _Write, gathered

ADD = "INSERT one"
ADD_MANY = Together("INSERT many", (0, 1), (0,))
SAY = "SAY one"
SAY_MANY = Together("SAY many", ("to", "what"))
TOGETHER: dict[Any, Together] = {ADD: ADD_MANY, SAY: SAY_MANY}


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def batch(loop: asyncio.AbstractEventLoop, *callers: list[Statement]) -> list[_Write]:
    return [_Write(statements, None, loop.create_future()) for statements in callers]


def test_rows_of_many_callers_become_one_statement_of_each_kind(loop: asyncio.AbstractEventLoop) -> None:
    callers = batch(
        loop,
        [(ADD, [(1, "a"), (2, "b")]), (SAY, [{"to": "x", "what": "hi"}])],
        [(ADD, [(3, "c")])],
        [(SAY, [{"to": "y", "what": "ho"}])],
    )
    assert list(gathered(callers, TOGETHER)) == [
        ("INSERT many", [[1, 2, 3], ["a", "b", "c"]]),
        ("SAY many", [["x", "y"], ["hi", "ho"]]),
    ]


def test_of_two_rows_that_one_statement_could_not_take_the_later_stands(loop: asyncio.AbstractEventLoop) -> None:
    callers = batch(loop, [(ADD, [(1, "old"), (2, "b")])], [(ADD, [(1, "new")])])
    assert list(gathered(callers, TOGETHER)) == [("INSERT many", [[1, 2], ["new", "b"]])]


def test_a_statement_without_such_a_form_keeps_its_place(loop: asyncio.AbstractEventLoop) -> None:
    callers = batch(loop, [(ADD, [(1, "a")])], [("LOOK", [("k",)]), (ADD, [(2, "b")])])
    assert list(gathered(callers, TOGETHER)) == [
        ("INSERT many", [[1], ["a"]]),
        ("LOOK", ("k",)),
        ("INSERT many", [[2], ["b"]]),
    ]


def test_every_statement_of_the_saver_and_of_events_has_such_a_form() -> None:
    saver = AsyncPostgresSaver
    assert set(grouped.together()) == {
        saver.UPSERT_CHECKPOINT_BLOBS_SQL,
        saver.UPSERT_CHECKPOINTS_SQL,
        saver.UPSERT_CHECKPOINT_WRITES_SQL,
        saver.INSERT_CHECKPOINT_WRITES_SQL,
    }
    assert len(run_events.together()) == 2
