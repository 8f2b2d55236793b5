"""`POST /inference`: one model call, as a run of graph `direct`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from server.deps import CurrentLab
from server.routes.whole import run_whole
from server.runner import RunRequest
from server.wire.lab import InferenceRequest, InferenceResponse

router = APIRouter(tags=["lab"])


@router.post("/inference")
async def infer(body: InferenceRequest, request: Request, lab: CurrentLab) -> InferenceResponse:
    """Answer a prompt with one call of one model. A client that leaves stops the generation."""
    given = body.model_dump(exclude_unset=True, exclude={"prompt", "thread_id"})
    run = RunRequest(graph="direct", context=given, prompt=body.prompt, thread_id=body.thread_id)
    last = await run_whole(lab.runner.run(run), request)
    metrics = last.data["metrics"]
    return InferenceResponse(
        output=last.data["output"],
        model=metrics["model_name"],
        strategy=metrics["strategy"],
        run_id=last.data["run_id"],
        thread_id=last.data["thread_id"],
        metrics=metrics,
    )
