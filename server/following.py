"""Hearing a job of a crew or a flow to its end: what its routes stream and its commands show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

from server.db.jobs import Job
from server.lab import Lab
from server.streaming.frames import END
from server.streaming.job_events import HEARD_ALL, ending_of, event_id, events_of
from server.streaming.said import GATHER_SEC, Said
from server.streaming.sse import error_event
from server.wire.executions import now
from server.wire.progress import Progress
from server.wire.values import encode
from state.errors import LabError

View = Callable[[Job, Progress, datetime], Mapping[str, Any]]
"""How a job is shown: `server.wire.executions.job_view` or `execution_view`."""


async def follow(lab: Lab, tenant: str, job: Job, view: View, after: int = 0) -> AsyncGenerator[Sequence[Said], None]:
    """`attempt`, `agent`, `model`, `decision`, `token`, `custom` as they come, those that came together in one piece.

    The last one is `result`, `interrupt` or `error`, with the job as it then stands.

    `after`: the number of the last run's event that was heard; 0 for all. Ends early where this process stops.
    """
    try:
        run = await lab.queue.get(tenant, job.run_id)
        async with aclosing(lab.hub.read(tenant, run, after)) as pieces:
            async for frames in pieces:
                told = [
                    Said(name, data, event_id(run.run_id, one.seq)) for one in frames for name, data in events_of(one)
                ]
                if told:
                    yield told
                if frames[-1].name != END:
                    await asyncio.sleep(GATHER_SEC)
        if lab.hub.leaving:
            return  # it goes on elsewhere; whoever listens comes again after what it has heard
        ended = await lab.executions.get(tenant, job.job_id)
        name, data = ending_of(ended, await shown(lab, tenant, ended, view))
        yield [Said(name, data, event_id(run.run_id, HEARD_ALL))]
    except LabError as error:
        told_error = error_event(error)
        yield [Said(told_error.name, encode(told_error.data), None)]


async def shown(lab: Lab, tenant: str, job: Job, view: View) -> Mapping[str, Any]:
    """A job with what it has come to so far."""
    return view(job, await lab.executions.progress(tenant, job), now())
