"""Hearing a run while it runs, or waiting for its end: with its creation, or later."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query

from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.routes.asking import admitted, cancel_when_gone
from server.routes.streamed import home_of, streamed, streamed_run
from server.run_queue.shapes import Run
from server.streaming.errors import error_payload
from server.streaming.live import LiveResponse
from server.streaming.said import number_of
from server.streaming.sse import frame
from server.wire import runs as wire
from server.wire.body import json_body
from server.wire.ids import uuid_of
from server.wire.shapes.building import anything
from server.wire.shapes.runs import STREAM
from server.wire.told import LOCATIONS, events, told
from server.wire.values import encode
from state.errors import LabError, Malformed, NotFound

router = APIRouter()

GONE = {"error": "HTTPException", "message": "404: Run not found"}
"""How a run that is not there is told where the answer has begun already."""
FRESH_SECONDS = 2.0
"""A client that joins a run right after making it hears it from its start, also where the run was faster."""

STREAMED = events(STREAM, headers=LOCATIONS)
WAITED = told(anything("the values that the run left, or `__error__`"), headers=LOCATIONS)

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
Modes = Annotated[list[str] | None, Query(alias="stream_mode")]
Streamed = Annotated[Any, Depends(json_body(wire.STREAM))]
StreamedStateless = Annotated[Any, Depends(json_body(wire.STREAM_STATELESS))]


@router.post(
    "/threads/{thread_id}/runs/stream",
    tags=["Thread Runs"],
    openapi_extra=wire.shown(wire.STREAM),
    responses=STREAMED,
)
async def stream_run(thread_id: str, body: Streamed, lab: CurrentLab, tenant: CurrentTenant) -> LiveResponse:
    """Make a run and hear it."""
    run = await admitted(lab, tenant, body, _thread(thread_id), heard=True)
    return streamed_run(lab, tenant, run, home_of(run), body.get("on_disconnect") == "cancel")


@router.post(
    "/runs/stream", tags=["Stateless Runs"], openapi_extra=wire.shown(wire.STREAM_STATELESS), responses=STREAMED
)
async def stream_stateless_run(body: StreamedStateless, lab: CurrentLab, tenant: CurrentTenant) -> LiveResponse:
    """Make a run on a thread of its own and hear it."""
    run = await admitted(lab, tenant, body, heard=True)
    return streamed_run(lab, tenant, run, f"/runs/{run.run_id}", body.get("on_disconnect") == "cancel")


@router.post(
    "/threads/{thread_id}/runs/wait", tags=["Thread Runs"], openapi_extra=wire.shown(wire.STREAM), responses=WAITED
)
async def wait_run(thread_id: str, body: Streamed, lab: CurrentLab, tenant: CurrentTenant) -> LiveResponse:
    """Make a run and wait for its end."""
    run = await admitted(lab, tenant, body, _thread(thread_id), heard=True)
    return _waited(lab, tenant, run, cancel=body.get("on_disconnect") == "cancel")


@router.post("/runs/wait", tags=["Stateless Runs"], openapi_extra=wire.shown(wire.STREAM_STATELESS), responses=WAITED)
async def wait_stateless_run(body: StreamedStateless, lab: CurrentLab, tenant: CurrentTenant) -> LiveResponse:
    """Make a run on a thread of its own and wait for its end."""
    run = await admitted(lab, tenant, body, heard=True)
    return _waited(lab, tenant, run, cancel=body.get("on_disconnect") == "cancel")


@router.get("/threads/{thread_id}/runs/{run_id}/stream", tags=["Thread Runs"], responses=STREAMED)
async def join_stream(
    thread_id: str,
    run_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    stream_mode: Modes = None,
    cancel_on_disconnect: str = "",
    last_event_id: LastEventId = None,
) -> LiveResponse:
    """Hear a run that is there: what comes from now on, or after the event of `Last-Event-ID`; -1 for all."""
    thread, wanted = uuid_of("thread", thread_id), uuid_of("run", run_id)
    home = f"/threads/{thread}/runs/{wanted}"
    run = await _found(lab, tenant, wanted, thread)
    if run is None:
        return streamed(_one(frame("error", encode(GONE))), home)
    after = after_of(run, last_event_id, datetime.now(UTC))
    return streamed_run(lab, tenant, run, home, is_true(cancel_on_disconnect), after=after, modes=stream_mode)


@router.get("/runs/{run_id}/stream", tags=["Stateless Runs"], responses=STREAMED)
async def join_stateless_stream(
    run_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    stream_mode: Modes = None,
    cancel_on_disconnect: str = "",
    last_event_id: LastEventId = None,
) -> LiveResponse:
    """Hear a run by its id alone, where the `Location` of a stateless stream leads."""
    run = await lab.queue.get(tenant, uuid_of("run", run_id))
    after = after_of(run, last_event_id, datetime.now(UTC))
    home = f"/runs/{run.run_id}"
    return streamed_run(lab, tenant, run, home, is_true(cancel_on_disconnect), after=after, modes=stream_mode)


@router.get("/threads/{thread_id}/runs/{run_id}/join", tags=["Thread Runs"], responses=WAITED)
async def join_run(
    thread_id: str, run_id: str, lab: CurrentLab, tenant: CurrentTenant, cancel_on_disconnect: str = ""
) -> LiveResponse:
    """Wait for the end of a run that is there."""
    thread, wanted = uuid_of("thread", thread_id), uuid_of("run", run_id)
    run = await _found(lab, tenant, wanted, thread)
    if run is None:
        return _answered(_one(encode({"__error__": GONE})), thread, wanted)
    return _waited(lab, tenant, run, cancel=is_true(cancel_on_disconnect))


@router.get("/runs/{run_id}/join", tags=["Stateless Runs"], responses=WAITED)
async def join_stateless_run(
    run_id: str, lab: CurrentLab, tenant: CurrentTenant, cancel_on_disconnect: str = ""
) -> LiveResponse:
    """Wait for the end of a run by its id alone."""
    run = await lab.queue.get(tenant, uuid_of("run", run_id))
    return _waited(lab, tenant, run, cancel=is_true(cancel_on_disconnect))


def after_of(run: Run, last_event_id: str | None, now: datetime) -> int | None:
    """After which event a listener begins: 0 for all of them, None for what comes from now on.

    Only the events of a resumable run have ids. A run that has not begun is heard whole, and so is one that was made
    a moment ago, unless its maker hears it anyway: its client could not come sooner.
    """
    if run.resumable and last_event_id:
        if last_event_id == "-1":
            return 0
        if (number := number_of(last_event_id)) is not None:
            return number
    fresh = (now - run.created_at).total_seconds() < FRESH_SECONDS and not run.kwargs.get("heard")
    return 0 if run.status == "pending" or fresh else None


def joined_headers(thread_id: UUID, run_id: UUID) -> dict[str, str]:
    """Where a client that waits can wait again."""
    home = f"/threads/{thread_id}/runs/{run_id}"
    return {"Location": f"{home}/join", "Content-Location": home}


def _waited(lab: Lab, tenant: str, run: Run, *, cancel: bool) -> LiveResponse:
    gone = cancel_when_gone(lab, tenant, run) if cancel else None
    return _answered(_output(lab, tenant, run), run.thread_id, run.run_id, gone)


async def _output(lab: Lab, tenant: str, run: Run) -> AsyncGenerator[bytes, None]:
    """What a run gives at its end, or why it gives nothing."""
    try:
        ended = await lab.queue.ended(tenant, run.run_id)
    except NotFound:
        yield encode({"__error__": GONE})
    except LabError as error:
        yield encode({"__error__": error_payload(error)})
    else:
        failed = ended.status in ("error", "timeout") and ended.error is not None
        yield encode({"__error__": ended.error}) if failed else ended.output or b"{}"


def _answered(pieces: AsyncGenerator[bytes, None], thread_id: UUID, run_id: UUID, gone: Any = None) -> LiveResponse:
    headers = joined_headers(thread_id, run_id)
    return LiveResponse(pieces, headers=headers, media_type="application/json", heartbeat=b"\n", gone=gone)


def _thread(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Malformed(str(error)) from None


async def _one(piece: bytes) -> AsyncGenerator[bytes, None]:
    yield piece


async def _found(lab: Lab, tenant: str, run_id: UUID, thread_id: UUID) -> Run | None:
    try:
        return await lab.queue.get(tenant, run_id, thread_id)
    except NotFound:
        return None


def is_true(text: str) -> bool:
    """A flag in a URL."""
    return text.lower() in ("true", "1", "yes")
