"""`/api/v1/crew/execute` and `/api/v1/crew/jobs`: crews executed in the background, their states and results."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from server.db.jobs import Graph, Job
from server.deps import CurrentLab, CurrentTenant
from server.executions import CLEANED_AT_ONCE
from server.following import shown
from server.lab import Lab
from server.routes.executing import HEARD, LastEventId, Paged, heard, job_url, listed, started, waited
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.executions import Answer, CleanUp, ExecuteCrew, accepted_view, job_listed, job_view, now
from server.wire.figures import crew_stats
from server.wire.shaped import body_of, described
from server.wire.shapes import building as shapes
from server.wire.shapes import examples
from server.wire.told import LOCATION, PAGED, told
from state.errors import BadRequest

router = APIRouter(prefix="/api/v1/crew", tags=["lab"])

CREW: tuple[Graph, ...] = ("crew",)


@router.post(
    "/execute",
    status_code=202,
    openapi_extra=described(ExecuteCrew, examples.EXECUTE_CREW),
    responses={
        **told("JobAccepted", status=202, about="It is in the queue", headers=LOCATION),
        **told("Job", about="It has ended, or asks something; `wait` was said", headers=LOCATION),
    },
)
async def execute_crew(
    body: Annotated[ExecuteCrew, Depends(body_of(ExecuteCrew))],
    request: Request,
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> Response:
    """Put a job into the queue; when this answers, it is durable. With `wait` it answers at the end (200)."""
    kept = await lab.definitions.runnable(tenant, "crew", body.crew_id)
    job = await started(lab, tenant, kept, body.asked(query=body.query))
    where = {"Location": job_url(job.job_id)}
    if body.wait:
        return answer(await waited(lab, tenant, job, job_view, request), where)
    return answer(accepted_view(job), where, status=202)


@router.patch("/job", responses=told("Job"))
@router.get("/job", responses=told("Job"))
async def get_job_by_query(lab: CurrentLab, tenant: CurrentTenant, job_id: UUID | None = None) -> Response:
    """How the job that `job_id` names stands; its result or its error when it has ended."""
    if job_id is None:
        raise BadRequest("job_id is missing; say which job: PATCH /api/v1/crew/job?job_id=…")
    return answer(await shown(lab, tenant, await _job(lab, tenant, job_id), job_view))


@router.get("/jobs", responses=told(shapes.listed("JobListed"), headers=PAGED))
async def list_jobs(
    lab: CurrentLab,
    tenant: CurrentTenant,
    page: Paged,
    crew_id: Annotated[str | None, Query(max_length=200)] = None,
    status: str | None = None,
) -> Response:
    """Jobs, the newest first; results are told of one job alone."""
    found, headers = await listed(lab, tenant, CREW, crew_id, status, page)
    return answer([job_listed(job, now()) for job in found], headers)


@router.get("/stats", responses=told("CrewStats"))
async def get_stats(lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """How many crews and jobs there are, and how long jobs took."""
    figures = await lab.executions.figures(tenant, CREW, by_name=False)
    return answer(crew_stats(await lab.definitions.count(tenant, "crew"), figures))


@router.post(
    "/cleanup", openapi_extra=described(CleanUp, examples.CLEAN_UP, required=False), responses=told("JobsCleaned")
)
async def clean_up(
    body: Annotated[CleanUp, Depends(body_of(CleanUp, optional=True))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Delete jobs that ended long ago, with the threads made for them; those that wait for an answer stay.

    At most 500 at once, the oldest first; `more` says that there may be others.
    """
    found = await lab.executions.clean_up(tenant, CREW, body.older_than_hours, dry_run=body.dry_run)
    told = {"deleted": 0 if body.dry_run else len(found), "matched": len(found), "dry_run": body.dry_run}
    told["more"] = len(found) == CLEANED_AT_ONCE
    return answer({**told, "job_ids": [str(job_id) for job_id in found]})


@router.get("/jobs/{job_id}", responses=told("Job"))
async def get_job(job_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """How a job stands; its result or its error when it has ended."""
    return answer(await shown(lab, tenant, await _job(lab, tenant, job_id), job_view))


@router.delete("/jobs/{job_id}", status_code=204)
async def delete_job(job_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete a job, stopped first where it runs, and the thread that was made for it."""
    await lab.executions.delete(tenant, await _job(lab, tenant, job_id))
    return Response(status_code=204)


@router.post("/jobs/{job_id}/cancel", responses=told("Job"))
async def cancel_job(job_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Stop a job; 409 when it has ended."""
    job = await lab.executions.cancel(tenant, await _job(lab, tenant, job_id))
    return answer(await shown(lab, tenant, job, job_view))


@router.post(
    "/jobs/{job_id}/resume",
    status_code=202,
    openapi_extra=described(Answer, examples.ANSWER),
    responses=told("JobListed", status=202, about="It goes on", headers=LOCATION),
)
async def resume_job(
    job_id: UUID, body: Annotated[Answer, Depends(body_of(Answer))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Answer what a job asks; it goes on under the same id."""
    await lab.executions.resume(tenant, await _job(lab, tenant, job_id), body.answer, body.interrupt_id)
    job = await _job(lab, tenant, job_id)
    return answer(job_listed(job, now()), {"Location": job_url(job_id)}, status=202)


@router.get("/jobs/{job_id}/stream", responses=HEARD)
async def stream_job(
    job_id: UUID, lab: CurrentLab, tenant: CurrentTenant, last_event_id: LastEventId = None
) -> Response:
    """What a job says, as server-sent events: `agent`, `decision`, `token`, and `result`, `interrupt` or `error`."""
    return heard(lab, tenant, await _job(lab, tenant, job_id), job_view, last_event_id, job_url(job_id))


async def _job(lab: Lab, tenant: str, job_id: UUID) -> Job:
    return await lab.executions.get(tenant, job_id, CREW)


with_slashes(router)
