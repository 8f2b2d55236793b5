"""The log of agents' calls: what is written when, over a store that can be away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from server.agents.calls import MOST_TEXT, Calls, open_calls
from server.db.agent_runs import Call
from state.errors import NoDatabase

START = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    """Keeps what is written; raises what it is told to, once each, and for batches with the agent `odd`."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.batches: list[list[Call]] = []
        self.written = asyncio.Event()

    async def write(self, tenant: str, worker_id: int, calls: Sequence[Call]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if any(call.agent_id == "odd" for call in calls):
            raise psycopg.errors.NumericValueOutOfRange("out of range")
        self.batches.append(list(calls))
        self.written.set()


def begin(calls: Calls, agent_id: str = "a") -> UUID:
    return calls.begin(
        run_id=None, step="s", agent_id=agent_id, agent_name="A", agent_class="Http", attempt=1, registered=True
    )


def log_over(rows: Rows, **bounds: int) -> Calls:
    moments = (START + timedelta(seconds=second) for second in range(100))
    return Calls(rows, "default", 7, now=lambda: next(moments), **bounds)


async def test_a_call_that_ends_before_it_is_written_is_one_row() -> None:
    rows = Rows()
    calls = log_over(rows)
    calls.end(begin(calls), error="it said \0 and \ud800" + "x" * MOST_TEXT, input_tokens=1, output_tokens=2)
    await calls.flush()
    (batch,) = rows.batches
    (call,) = batch
    assert (call.status, call.seconds, call.input_tokens, call.output_tokens) == ("failed", 1.0, 1, 2)
    assert (
        call.error is not None and len(call.error) == MOST_TEXT and call.error.startswith("it said \ufffd and \ufffd")
    )
    await calls.flush()
    assert len(rows.batches) == 1, "nothing is written twice"


async def test_a_call_that_goes_on_is_written_at_its_begin_and_at_its_end() -> None:
    rows = Rows()
    calls = log_over(rows)
    call_id = begin(calls)
    await calls.flush()
    calls.end(call_id)
    calls.end(call_id, error="a second end says nothing")
    await calls.flush()
    assert [[call.status for call in batch] for batch in rows.batches] == [["running"], ["completed"]]


async def test_the_newest_calls_are_kept_while_postgres_is_away(caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows(NoDatabase("away"))
    calls = log_over(rows, most_waiting=3)
    for name in "abcde":
        calls.end(begin(calls, name))
    with pytest.raises(NoDatabase):
        await calls.flush()
    await calls.flush()
    assert [call.agent_id for call in rows.batches[0]] == ["c", "d", "e"]
    assert "2 calls of agents were not kept" in caplog.text


async def test_the_end_of_a_call_that_is_known_to_run_is_not_given_up() -> None:
    rows = Rows()
    calls = log_over(rows, most_waiting=3)
    known = begin(calls, "known")
    await calls.flush()
    calls.end(known)
    for name in "abcd":
        calls.end(begin(calls, name))
    await calls.flush()
    assert [call.agent_id for call in rows.batches[1]] == ["known", "c", "d"]
    for name in "efgh":
        calls.end(begin(calls, name))
    await calls.flush()
    assert [call.agent_id for call in rows.batches[2]] == ["f", "g", "h"], "what has ended is an old call as others are"


async def test_a_call_that_postgres_does_not_take_costs_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    rows = Rows()
    calls = log_over(rows)
    for name in ("a", "b", "odd", "c", "d"):
        begin(calls, name)
    await calls.flush()
    calls.end(begin(calls, "later"))
    await calls.flush()
    assert [call.agent_id for batch in rows.batches for call in batch] == ["a", "b", "c", "d", "later"]
    assert caplog.text.count("1 calls of agents are not kept, the first of agent odd") == 1


async def test_calls_are_written_by_themselves_and_what_is_open_at_the_end_is_closed() -> None:
    rows = Rows()
    async with open_calls(rows, "default", 7) as calls:
        begin(calls, "cut")
        async with asyncio.timeout(5):
            await rows.written.wait()
        calls.end(begin(calls, "late"))
    told = {call.agent_id: (call.status, call.error) for batch in rows.batches for call in batch}
    assert told == {"cut": ("failed", "the process was stopped"), "late": ("completed", None)}


async def test_a_postgres_that_stays_away_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    calls = log_over(Rows(NoDatabase("away")))
    begin(calls)
    with caplog.at_level(logging.WARNING):
        await calls.close()
    assert "1 calls of agents are not kept: away" in caplog.text
