"""`POST /api/v1/execute`: a prompt answered by one model, by the orchestrator, or by registered agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from server.deps import CurrentLab, CurrentTenant
from server.execute import begin, executed
from server.routes.lab_asking import answered, told, wants_events
from server.routes.slashes import with_slashes
from server.streaming.frames import Frame
from server.streaming.sse import EVENT_STREAM
from server.telemetry.access import execution_id
from server.wire.answers import answer
from server.wire.execute import AcceptedExecution, ExecutionRequest, ExecutionResult
from server.wire.execution_view import accepted_view
from server.wire.shaped import body_of, described
from server.wire.shapes.building import ref
from server.wire.told import Responses

router = APIRouter(prefix="/api/v1", tags=["lab"])

_STREAM = """event: metadata
data: {"run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f","attempt":1}
id: 1

event: token
data: {"node":"answer","message_id":"1","text":"84"}
id: 5

event: result
data: {"output":"84","attempts":1}
id: 7

"""
_ANSWERS: Responses = {
    200: {
        "model": ExecutionResult,
        "content": {EVENT_STREAM: {"itemSchema": ref("Event"), "example": _STREAM}},
    },
    202: {"model": AcceptedExecution, "description": "In the background: `Location` tells how it stands"},
}


@router.post("/execute", responses=_ANSWERS, openapi_extra=described(ExecutionRequest))
async def execute(
    body: Annotated[ExecutionRequest, Depends(body_of(ExecutionRequest))],
    request: Request,
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> Response:
    """Execute a prompt and answer with its result, or what it asks (INTERRUPTED).

    `stream` or `Accept: text/event-stream`: each node, each token and the end as they come. `background`: 202 at once.
    An execution that somebody waits for ends with its client, and with LAB_REQUEST_TIMEOUT (504).
    """
    run = await begin(lab, tenant, body, run_id=execution_id(request.scope))
    where = {"Location": f"/api/v1/history/{run.run_id}"}
    if body.background:
        return answer(accepted_view(run), where, status=202)
    if body.stream or wants_events(request):
        return told(lab, tenant, run)
    noted: list[Frame] = []
    last = await answered(lab, tenant, run, request, noted)
    return answer(await executed(lab, tenant, run, last, noted), where)


with_slashes(router)
