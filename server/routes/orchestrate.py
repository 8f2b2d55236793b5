"""`POST /orchestrate`: a run of the orchestrator, whole as JSON or live as server-sent events."""

from __future__ import annotations

from fastapi import APIRouter, Request

from server.deps import CurrentLab
from server.routes.whole import run_whole
from server.runner import RunRequest
from server.streaming.sse import EVENT_STREAM, started, stream_response
from server.wire.lab import InterruptResponse, OrchestrateRequest, OrchestrateResponse

router = APIRouter(tags=["lab"])

_NOT_CONTEXT = {"prompt", "thread_id", "resume", "decision", "interrupt_id"}


@router.post(
    "/orchestrate",
    response_model=OrchestrateResponse | InterruptResponse,
    responses={200: {"content": {EVENT_STREAM: {}}}},
)
async def orchestrate(body: OrchestrateRequest, request: Request, lab: CurrentLab) -> object:
    """Run the orchestrator. `Accept: text/event-stream` tells each node, each token and the result as it happens."""
    run = _run_request(body)
    lab.runner.check(run)
    events = lab.runner.run(run)
    if EVENT_STREAM in request.headers.get("accept", ""):
        return stream_response(await started(events))
    last = await run_whole(events, request)
    if last.name == "interrupt":
        return InterruptResponse(run_id=last.data["run_id"], thread_id=last.data["thread_id"], interrupts=[last.data])
    return OrchestrateResponse(**{k: v for k, v in last.data.items() if k != "graph"})


def _run_request(body: OrchestrateRequest) -> RunRequest:
    return RunRequest(
        graph="orchestrator",
        context=body.model_dump(exclude_unset=True, exclude=_NOT_CONTEXT),
        prompt=body.prompt,
        thread_id=body.thread_id,
        resume=body.resume,
        decision=body.decision,
        interrupt_id=body.interrupt_id,
    )
