"""`/health` and `/api/v1/health`, `/api/v1/ready`: whether the parts work, the machine, and the memory there is."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response

from server.components import check_ready, database_part, parts
from server.deps import CurrentLab, CurrentTenant
from server.health import look_at, look_at_all
from server.routes.slashes import with_slashes
from server.wire.device import device_info, system_info
from server.wire.health import BasicHealth, DetailedHealth, Health, Ready, alive_now, detailed_view

router = APIRouter(tags=["lab"])
api = APIRouter(prefix="/api/v1", tags=["lab"])

# A processor's name, a GPU's memory and a process's age stand in files or behind a driver: asked for in a thread.


@router.get("/health", responses={503: {"model": Health, "description": "Postgres does not answer"}})
async def health(lab: CurrentLab, response: Response) -> Health:
    """The machine, its device and memory; 200 while Postgres answers, 503 when it does not."""
    looked, device, alive = await asyncio.gather(
        look_at(database_part(lab)),
        asyncio.to_thread(device_info, lab.models.manager),
        asyncio.to_thread(alive_now),
    )
    ok = looked.finding.status == "ok"
    response.status_code = 200 if ok else 503
    return Health(
        status="ok" if ok else "degraded",
        database=looked.finding.figures["version"] if ok else looked.finding.detail or "",
        device=device,
        system=system_info(),
        memory=lab.models.reading(),
        **alive,
    )


@api.get("/health", responses={503: {"model": BasicHealth, "description": "Postgres does not answer"}})
async def get_health(lab: CurrentLab, response: Response) -> BasicHealth:
    """Whether the server answers, and Postgres within three seconds; 503 when that does not."""
    looked, alive = await asyncio.gather(look_at(database_part(lab)), asyncio.to_thread(alive_now))
    response.status_code = 200 if looked.finding.status == "ok" else 503
    return BasicHealth(status=looked.finding.status, **alive)


@api.get("/health/detailed", responses={503: {"model": DetailedHealth, "description": "A vital component is down"}})
async def get_detailed_health(lab: CurrentLab, tenant: CurrentTenant, response: Response) -> DetailedHealth:
    """Each component with its latency, looked at all at once; 503 when a vital one is down."""
    looked, alive = await asyncio.gather(look_at_all(parts(lab, tenant)), asyncio.to_thread(alive_now))
    told = detailed_view(looked, alive)
    response.status_code = 503 if told.status == "down" else 200
    return told


@api.get("/ready")
async def get_ready(lab: CurrentLab) -> Ready:
    """200 when requests can be served, 503 with the reason when they cannot: stopping, Postgres, migrations, model."""
    await check_ready(lab)
    return Ready()


with_slashes(router)
with_slashes(api)
