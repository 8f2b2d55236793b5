"""`POST /inference`: one model call, as a run of graph `direct`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from server.deps import CurrentLab, CurrentTenant
from server.routes.lab_asking import answered, begun
from server.routes.slashes import with_slashes
from server.wire.lab import InferenceRequest, InferenceResponse
from server.wire.shaped import body_of, described

router = APIRouter(tags=["lab"])


@router.post("/inference", openapi_extra=described(InferenceRequest))
async def infer(
    body: Annotated[InferenceRequest, Depends(body_of(InferenceRequest))],
    request: Request,
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> InferenceResponse:
    """Answer a prompt with one call of one model. A client that leaves stops the generation."""
    run = await begun(lab, tenant, body.asked(), request)
    last = await answered(lab, tenant, run, request)
    metrics = last.data["metrics"]
    return InferenceResponse(
        output=last.data["output"],
        model=metrics["model_name"],
        strategy=metrics["strategy"],
        run_id=last.data["run_id"],
        thread_id=last.data["thread_id"],
        metrics=metrics,
    )


with_slashes(router)
