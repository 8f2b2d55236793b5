"""What every route of the lab that makes a run does alike: wait for its end, or tell it as it comes."""

from __future__ import annotations

import asyncio

from fastapi import Request

from server.lab import Lab
from server.routes.streamed import home_of, streamed_run
from server.routes.whole import ClientGone, while_here
from server.run_queue.shapes import Run
from server.streaming.events import Event
from server.streaming.frames import Frame
from server.streaming.live import LiveResponse
from server.streaming.sse import EVENT_STREAM
from state.errors import TimedOut

LATE_SECONDS = 5.0
"""Beyond its bound, what a run may take to be claimed, stopped and recorded before its caller is told so."""


def wants_events(request: Request) -> bool:
    return EVENT_STREAM in request.headers.get("accept", "")


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
    """A run as server-sent events, with the ids of its log. It ends with its client."""
    return streamed_run(lab, tenant, run, home_of(run), cancel=True)
