"""`/executions`: what crews and flows do and did, step by step, with the messages of their agents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from server.db.jobs import BOTH, Graph
from server.deps import CurrentLab, CurrentTenant
from server.following import shown
from server.routes.executing import HEARD, MOST, LastEventId, Paged, execution_url, heard, listed
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.executions import Answer, execution_listed, execution_view, now
from server.wire.shaped import body_of, described
from server.wire.shapes import building as shapes
from server.wire.shapes import examples
from server.wire.told import LOCATION, PAGED, told
from state.errors import BadRequest

router = APIRouter(prefix="/executions", tags=["lab"])

Name = Annotated[str | None, Query(max_length=200)]


@router.get("", responses=told(shapes.listed("ExecutionListed"), headers=PAGED))
async def list_executions(
    lab: CurrentLab,
    tenant: CurrentTenant,
    page: Paged,
    flow_id: Name = None,
    crew_id: Name = None,
    status: str | None = None,
) -> Response:
    """Executions of flows and crews, the newest first; what their steps gave is told of one alone."""
    if flow_id is not None and crew_id is not None:
        raise BadRequest("flow_id and crew_id: an execution is of one of them; leave one out")
    graphs: tuple[Graph, ...] = ("flow",) if flow_id is not None else ("crew",) if crew_id is not None else BOTH
    found, headers = await listed(lab, tenant, graphs, flow_id or crew_id, status, page)
    return answer([execution_listed(job, now()) for job in found], headers)


@router.get("/{execution_id}", responses=told("Execution"))
async def get_execution(execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One execution, with what its steps gave so far."""
    return answer(await shown(lab, tenant, await lab.executions.get(tenant, execution_id), execution_view))


@router.delete("/{execution_id}", status_code=204)
async def delete_execution(execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete an execution, stopped first where it runs, and the thread that was made for it."""
    await lab.executions.delete(tenant, await lab.executions.get(tenant, execution_id))
    return Response(status_code=204)


@router.post("/{execution_id}/cancel", responses=told("Execution"))
async def cancel_execution(execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Stop an execution; 409 when it has ended."""
    job = await lab.executions.cancel(tenant, await lab.executions.get(tenant, execution_id))
    return answer(await shown(lab, tenant, job, execution_view))


@router.post(
    "/{execution_id}/resume",
    status_code=202,
    openapi_extra=described(Answer, examples.ANSWER),
    responses=told("ExecutionListed", status=202, about="It goes on", headers=LOCATION),
)
async def resume_execution(
    execution_id: UUID, body: Annotated[Answer, Depends(body_of(Answer))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Answer what an execution asks; it goes on under the same id."""
    job = await lab.executions.get(tenant, execution_id)
    await lab.executions.resume(tenant, job, body.answer, body.interrupt_id)
    gone_on = await lab.executions.get(tenant, execution_id)
    return answer(execution_listed(gone_on, now()), {"Location": execution_url(execution_id)}, status=202)


@router.get("/{execution_id}/messages", responses=told(shapes.listed("AgentMessage")))
async def list_messages(
    execution_id: UUID,
    lab: CurrentLab,
    tenant: CurrentTenant,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> Response:
    """What was said between the agents of an execution, and to and from its client, oldest first."""
    await lab.executions.get(tenant, execution_id)
    found = await lab.executions.messages(tenant, execution_id, limit)
    return answer([message.model_dump(mode="json") for message in found])


@router.get("/{execution_id}/stream", responses=HEARD)
async def stream_execution(
    execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant, last_event_id: LastEventId = None
) -> Response:
    """What an execution says, as server-sent events: `agent`, `token`, then `result`, `interrupt` or `error`."""
    job = await lab.executions.get(tenant, execution_id)
    return heard(lab, tenant, job, execution_view, last_event_id, execution_url(execution_id))


with_slashes(router)
