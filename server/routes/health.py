"""`GET /health`: whether the parts work, and the memory there is."""

from __future__ import annotations

from fastapi import APIRouter, Response

from server.deps import CurrentLab
from server.wire.lab import Health
from state.errors import NoDatabase

router = APIRouter(tags=["lab"])


@router.get("/health", responses={503: {"model": Health}})
async def health(lab: CurrentLab, response: Response) -> Health:
    """200 while Postgres answers, 503 when it does not."""
    memory = lab.models.reading()
    try:
        return Health(status="ok", database=await lab.database.ping(), memory=memory)
    except NoDatabase as error:
        response.status_code = 503
        return Health(status="degraded", database=str(error), memory=memory)
