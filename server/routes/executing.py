"""What the routes of crews and flows do alike: start, show, hear and find executions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from structlog.contextvars import bind_contextvars

from server.db.jobs import Graph, Job, JobFilter
from server.definitions import Kept
from server.following import View, follow, shown
from server.job_requests import Asked
from server.lab import Lab
from server.routes.streamed import NOT_BUFFERED
from server.routes.whole import while_here
from server.streaming.job_events import after_of
from server.streaming.live import LiveResponse
from server.streaming.sse import EVENT_STREAM, HEARTBEAT, frame
from server.wire.answers import Page
from server.wire.executions import status_of
from server.wire.shapes.jobs import STREAM
from server.wire.told import LOCATIONS, Responses, events, told

MOST = 1_000
HEARD: Responses = {
    **events(STREAM, headers=LOCATIONS),
    **told(None, status=204, about="The end was heard already: do not come again"),
}
"""What `heard` answers."""

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Offset = Annotated[int, Query(ge=0, lt=2**31)]


def _page(limit: Limit = 100, offset: Offset = 0) -> Page:
    return Page(limit, offset)


Paged = Annotated[Page, Depends(_page)]


async def started(lab: Lab, tenant: str, kept: Kept, asked: Asked) -> Job:
    """A job that is in the queue. Raises NotFound (model), BadRequest, Conflict."""
    model = asked.settings.get("model")
    if model is not None:
        lab.models.card(model)
    run = await lab.executions.start(tenant, kept, asked)
    bind_contextvars(run_id=str(run.run_id))  # the request's line in the log names it
    return await lab.executions.get(tenant, run.run_id)


async def waited(lab: Lab, tenant: str, job: Job, view: View, request: Request) -> Mapping[str, Any]:
    """The job when it has ended, or asks something. A client that leaves ends its waiting, not the job."""
    ended = await while_here(lab.executions.wait(tenant, job.job_id), request)
    return await shown(lab, tenant, ended, view)


async def listed(
    lab: Lab, tenant: str, graphs: Sequence[Graph], name: str | None, status: str | None, page: Page
) -> tuple[list[Job], dict[str, str]]:
    """A page of jobs, the newest first, and its headers."""
    wanted = JobFilter(tuple(graphs), name, status_of(status))
    found, total = await lab.executions.search(tenant, wanted, limit=page.limit, offset=page.offset)
    return found, paging(page, len(found), total)


def paging(page: Page, found: int, total: int) -> dict[str, str]:
    """Headers that tell how many there are in all, and where the next page begins."""
    told = {"X-Pagination-Total": str(total)}
    if page.offset + found < total:
        told["X-Pagination-Next"] = str(page.offset + found)
    return told


def heard(lab: Lab, tenant: str, job: Job, view: View, last_event_id: str | None, home: str) -> Response:
    """A job as server-sent events: all it said, or what came after an event; then what it says until its end."""
    after = after_of(job, last_event_id)
    if after is None:
        return Response(status_code=204)  # which tells a browser not to come again
    pieces = _pieces(lab, tenant, job, view, after)
    headers = {"Location": f"{home}/stream", "Content-Location": home, **NOT_BUFFERED}
    return LiveResponse(pieces, headers=headers, media_type=EVENT_STREAM, heartbeat=HEARTBEAT)


async def _pieces(lab: Lab, tenant: str, job: Job, view: View, after: int) -> AsyncGenerator[bytes, None]:
    async for said in follow(lab, tenant, job, view, after):
        yield b"".join(frame(*each) for each in said)


def job_url(job_id: UUID) -> str:
    return f"/api/v1/crew/jobs/{job_id}"


def execution_url(job_id: UUID) -> str:
    return f"/executions/{job_id}"
