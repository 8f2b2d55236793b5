"""Runs that go with their clients: when one is cancelled, and when it is left alone. Across processes: integration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from server.run_queue.shapes import Run, RunStatus
from server.streaming.listeners import Left, goes_with_its_client, open_listeners
from state.errors import NoDatabase

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN_ID = UUID(int=7)


def run_of(status: RunStatus = "running", on_disconnect: str | None = "cancel") -> Run:
    kwargs: Mapping[str, Any] = {"on_disconnect": on_disconnect}
    return Run(RUN_ID, UUID(int=8), None, "g", status, {}, kwargs, "enqueue", NOW, NOW, 1, True, False, None)


class Rows:
    """One run, as Postgres has it."""

    def __init__(self, *, ended: bool = False, heard_later: bool = False, away: bool = False) -> None:
        self.ended, self.heard_later, self.away = ended, heard_later, away
        self.beats = 0

    async def hear(self, tenant: str, run_id: UUID) -> datetime | None:
        return None if self.ended else NOW

    async def hear_on(self, tenant: str, run_ids: Sequence[UUID]) -> None:
        assert (tenant, run_ids) == ("t", [RUN_ID])
        self.beats += 1
        if self.away:
            raise NoDatabase("away")

    async def is_unheard(self, tenant: str, run_id: UUID, since: datetime) -> bool:
        if self.away:
            raise NoDatabase("away")
        return not self.heard_later


@pytest.mark.parametrize(
    ("run", "goes"),
    [
        (run_of(), True),
        (run_of("pending"), True),
        (run_of("success"), False),
        (run_of(on_disconnect="continue"), False),
        (run_of(on_disconnect=None), False),
    ],
    ids=["running", "pending", "ended", "continue", "untold"],
)
def test_a_run_goes_with_its_client_where_its_maker_asked_for_that(run: Run, goes: bool) -> None:
    assert goes_with_its_client(run) is goes


@pytest.mark.parametrize(
    ("rows", "run", "how", "cancelled"),
    [
        (Rows(), run_of(), Left(1001), True),
        (Rows(), run_of(), Left(1006), True),
        (Rows(), run_of(), Left(1012), False),
        (Rows(), run_of(), None, False),
        (Rows(), run_of(), KeyError(), False),
        (Rows(), run_of(on_disconnect=None), Left(1001), False),
        (Rows(ended=True), run_of(), Left(1001), False),
        (Rows(heard_later=True), run_of(), Left(1001), False),
        (Rows(away=True), run_of(), Left(1001), False),
    ],
    ids=["left", "lost", "stopping", "heard to the end", "sent away", "not its", "ended", "heard later", "away"],
)
async def test_a_run_is_cancelled_when_its_last_client_has_left(
    rows: Rows, run: Run, how: Exception | None, cancelled: bool
) -> None:
    stopped: list[UUID] = []

    async def cancel(tenant: str, run_id: UUID) -> None:
        stopped.append(run_id)

    async with open_listeners(rows, cancel, grace_seconds=0, beat_seconds=60) as listeners:
        with suppress(Left, KeyError):
            async with listeners.present("t", run):
                if how is not None:
                    raise how
        await asyncio.gather(*listeners.waiting)
    assert stopped == ([RUN_ID] if cancelled else [])


async def test_one_of_two_clients_that_leaves_leaves_the_run_to_the_other() -> None:
    rows = Rows(away=True)  # a beat that fails is not the last

    async def cancel(tenant: str, run_id: UUID) -> None:
        raise AssertionError("it is listened to")

    async with (
        open_listeners(rows, cancel, grace_seconds=0, beat_seconds=0) as listeners,
        listeners.present("t", run_of()),
    ):
        with suppress(Left):
            async with listeners.present("t", run_of()):
                raise Left(1001)
        assert not listeners.waiting
        while rows.beats < 2:
            await asyncio.sleep(0)


async def test_a_process_that_stops_leaves_runs_that_wait_for_their_client_alone() -> None:
    async def cancel(tenant: str, run_id: UUID) -> None:
        raise AssertionError("its client may come to the next process")

    async with open_listeners(Rows(), cancel, grace_seconds=600, beat_seconds=60) as listeners:
        listeners.left("t", RUN_ID)
        (grace,) = listeners.waiting
    assert grace.cancelled() and not listeners.waiting
