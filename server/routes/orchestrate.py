"""`POST /orchestrate`: a run of the orchestrator, whole as JSON or live as server-sent events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from server.deps import CurrentLab, CurrentTenant
from server.routes.lab_asking import answered, begun, told, wants_events
from server.routes.slashes import with_slashes
from server.wire.lab import InterruptResponse, OrchestrateRequest, OrchestrateResponse
from server.wire.shaped import body_of, described
from server.wire.shapes.runs import LAB_STREAM
from server.wire.told import events

router = APIRouter(tags=["lab"])


@router.post(
    "/orchestrate",
    response_model=OrchestrateResponse | InterruptResponse,
    responses=events(LAB_STREAM, about="The result, or what a human is asked; as events where they are accepted"),
    openapi_extra=described(OrchestrateRequest),
)
async def orchestrate(
    body: Annotated[OrchestrateRequest, Depends(body_of(OrchestrateRequest))],
    request: Request,
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> object:
    """Run the orchestrator. `Accept: text/event-stream` tells each node, each token and the result as it happens."""
    run = await begun(lab, tenant, body.asked(), request)
    if wants_events(request):
        return told(lab, tenant, run)
    last = await answered(lab, tenant, run, request)
    if last.name == "interrupt":
        asked = last.data["interrupts"]
        return InterruptResponse(run_id=run.run_id, thread_id=run.thread_id, interrupts=asked)
    return OrchestrateResponse(**{k: v for k, v in last.data.items() if k != "graph"})


with_slashes(router)
