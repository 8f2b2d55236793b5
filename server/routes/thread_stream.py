"""`GET /threads/{thread_id}/stream`: every run of a thread, one after the other, for as long as a client listens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Query

from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.routes.run_streams import LastEventId
from server.routes.streamed import NOT_BUFFERED
from server.run_queue.queue import IN_FLIGHT
from server.run_queue.shapes import Run
from server.streaming.frames import END
from server.streaming.live import LiveResponse
from server.streaming.sse import EVENT_STREAM, HEARTBEAT, frame
from server.wire.ids import uuid_of
from server.wire.shapes.runs import LIFECYCLE
from server.wire.told import events
from server.wire.values import encode
from state.errors import BadRequest, NotFound

router = APIRouter()

LOOK_SECONDS = 0.2
"""How often a listener looks for the thread's next run while none is in flight."""
MOST_MISSED = 1000
"""Runs of a thread that a listener who comes back is told."""
_POSITION = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Position(NamedTuple):
    """The last event that was heard: when its run was made, in microseconds since 1970, and its number there."""

    made: int
    seq: int


@router.get("/threads/{thread_id}/stream", tags=["Threads"], responses=events(LIFECYCLE))
async def stream_thread(
    thread_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    stream_modes: Annotated[list[str] | None, Query()] = None,
    last_event_id: LastEventId = None,
) -> LiveResponse:
    """Hear a thread: what its runs say (`run_modes`), or when they begin and end (`lifecycle`)."""
    thread = uuid_of("thread", thread_id)
    position = position_of(last_event_id)
    if not await lab.queue.has_thread(tenant, thread):
        raise NotFound(f"Thread with ID {thread} not found")
    modes = {mode for mode in stream_modes or () if mode} or {"run_modes"}
    runs = _runs(lab, tenant, thread, position or await _now(lab, tenant, thread))
    pieces = _pieces(
        runs, lab, tenant, whole="run_modes" in modes, ends=not modes.isdisjoint({"run_modes", "lifecycle"})
    )
    return LiveResponse(pieces, headers=NOT_BUFFERED, media_type=EVENT_STREAM, heartbeat=HEARTBEAT)


def position_of(last_event_id: str | None) -> Position | None:
    """Where a listener who comes back was; `-` is before everything, None where it comes for the first time.

    Raises BadRequest in the reference's words.
    """
    if not last_event_id:
        return None
    if last_event_id == "-":
        return Position(0, 0)
    found = _POSITION.fullmatch(last_event_id)
    if found is None:
        raise BadRequest("Invalid last-event-id: must be a valid Redis stream ID")
    return Position(int(found[1]), int(found[2]))


async def _now(lab: Lab, tenant: str, thread: UUID) -> Position:
    """Before what is in flight, behind everything else."""
    last = Position(0, 0)
    for run in reversed(await lab.queue.list(tenant, thread, status=None, limit=MOST_MISSED, offset=0)):
        if run.status in IN_FLIGHT:
            return last
        last = Position(_made(run), 2**62)
    return last


async def _runs(lab: Lab, tenant: str, thread: UUID, begin: Position) -> AsyncIterator[tuple[Run, int]]:
    """Each run from `begin` on, as it is made, and after which of its events to begin; ends with the thread."""
    told: set[UUID] = set()
    while await lab.queue.has_thread(tenant, thread):
        found = await lab.queue.list(tenant, thread, status=None, limit=MOST_MISSED, offset=0)
        waiting = [run for run in reversed(found) if run.run_id not in told and _made(run) >= begin.made]
        begun = [run for run in waiting if run.status != "pending"]
        for run in begun:
            told.add(run.run_id)
            yield run, begin.seq if _made(run) == begin.made else 0
        if not begun:
            await asyncio.sleep(LOOK_SECONDS)


async def _pieces(
    runs: AsyncIterator[tuple[Run, int]], lab: Lab, tenant: str, *, whole: bool, ends: bool
) -> AsyncGenerator[bytes, None]:
    """What the runs say; their end is told as an event of its own."""
    async for run, after in runs:
        async for said in lab.hub.read(tenant, run, after):
            for each in said:
                event_id = f"{_made(run)}-{each.seq}"
                if each.name == END and ends:
                    yield frame("metadata", encode({"status": "run_done", "run_id": str(run.run_id)}), event_id)
                elif each.name != END and (whole or (ends and each.name == "metadata")):
                    yield frame(each.name, each.data, event_id)


def _made(run: Run) -> int:
    age = run.created_at - _EPOCH
    return (age.days * 86_400 + age.seconds) * 1_000_000 + age.microseconds
