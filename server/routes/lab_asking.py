"""What every route of the lab that makes a run does alike: wait for its end, or tell it as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from server.background import running
from server.lab import Lab
from server.routes.asking import cancel_when_gone
from server.routes.streamed import home_of, streamed
from server.routes.whole import ClientGone, while_here
from server.run_queue.shapes import Run
from server.run_request import RunRequest
from server.streaming.events import Event
from server.streaming.frames import Frame
from server.streaming.live import LiveResponse
from server.streaming.said import said_by
from server.streaming.sse import EVENT_STREAM, frame
from server.telemetry.access import execution_id
from state.errors import LabError, TimedOut

log = logging.getLogger(__name__)

LATE_SECONDS = 5.0
"""Beyond its bound, what a run may take to be claimed, stopped and recorded before its caller is told so."""


def wants_events(request: Request) -> bool:
    return EVENT_STREAM in request.headers.get("accept", "")


async def begun(lab: Lab, tenant: str, asked: RunRequest, request: Request) -> Run:
    """The run of a request that waits for it; raises as `LabRuns.start`."""
    bound = lab.settings.request_timeout
    return await lab.lab_runs.start(tenant, asked, run_id=execution_id(request.scope), timeout_sec=bound)


async def answered(lab: Lab, tenant: str, run: Run, request: Request, noted: list[Frame] | None = None) -> Event:
    """How a run ends. It ends with its client, and with LAB_REQUEST_TIMEOUT. `noted`: as `LabRuns.ended` has it.

    Raises the error that ended it, ClientGone, TimedOut.
    """
    bound = lab.settings.request_timeout
    try:
        async with asyncio.timeout(bound + LATE_SECONDS):
            return await while_here(lab.lab_runs.ended(tenant, run, noted), request)
    except ClientGone:
        await asyncio.shield(lab.queue.cancel(tenant, [run.run_id], "interrupt"))
        raise
    except TimeoutError as error:
        await asyncio.shield(lab.queue.cancel(tenant, [run.run_id], "interrupt"))
        raise TimedOut(f"no worker ended run {run.run_id} within {bound:g} s; it is cancelled") from error


def told(lab: Lab, tenant: str, run: Run) -> LiveResponse:
    """A run as server-sent events, with the ids of its log. It ends with its client, and with its bound."""
    return streamed(_pieces(lab, tenant, run), home_of(run), cancel_when_gone(lab, tenant, run))


async def _pieces(lab: Lab, tenant: str, run: Run) -> AsyncGenerator[bytes, None]:
    async with ended_late(lab, tenant, run):
        async for said in said_by(lab.hub, tenant, run, 0):
            yield b"".join(frame(*each) for each in said)


@asynccontextmanager
async def ended_late(lab: Lab, tenant: str, run: Run, late_seconds: float = LATE_SECONDS) -> AsyncIterator[None]:
    """While its maker hears a run: it is cancelled where no worker has ended it soon after its bound, as where none is
    there to begin it, and its stream says so.
    """
    bound = run.kwargs.get("timeout_sec")
    if bound is None:
        yield
        return
    async with running(_end(lab, tenant, run, bound + late_seconds), f"bound of run {run.run_id}"):
        yield


async def _end(lab: Lab, tenant: str, run: Run, seconds: float) -> None:
    await asyncio.sleep(seconds)
    try:
        await lab.queue.cancel(tenant, [run.run_id], "interrupt")
    except LabError as error:
        log.warning("run %s goes on beyond its bound: %s", run.run_id, error)
