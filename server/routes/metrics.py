"""`/metrics` and `/api/v1/metrics`: what this process measures, for Prometheus and as JSON."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from server.deps import CurrentLab
from server.lab import Lab
from server.routes.slashes import with_slashes
from server.telemetry.exposition import CONTENT_TYPE
from server.telemetry.figures import seed_metrics, short_form
from server.telemetry.readings import NEWEST
from server.telemetry.scraping import scrape, slots_of
from server.wire.answers import answer
from server.wire.metrics import Metrics
from server.wire.preferences import preferred
from server.wire.shapes.system import METRICS

JSON, TEXT = "application/json", "text/plain"

router = APIRouter(tags=["System"])
api = APIRouter(prefix="/api/v1", tags=["lab"])


@router.api_route("/metrics", methods=["GET", "HEAD"], operation_id="system_metrics_metrics_get", responses=METRICS)
async def metrics(request: Request, lab: CurrentLab, format: str = "prometheus") -> Response:
    """For Prometheus; as JSON for clients that accept it rather than text, and in short with `format=json`."""
    if format == "json":
        stored = await lab.looker.stored()
        slots = slots_of(lab.settings.workers, stored.in_flight.running)
        return answer(short_form(lab.telemetry.requests, stored.in_flight, slots))
    if preferred(request.headers.get("accept", ""), (TEXT, JSON)) == JSON:
        return answer((await _as_json(lab)).model_dump(mode="json"))
    return Response(await scrape(lab), headers={"content-type": CONTENT_TYPE})


@api.get("/metrics")
async def get_metrics(lab: CurrentLab) -> Metrics:
    """System and execution metrics: this process, its machine, and of all processes the newest executions."""
    return await _as_json(lab)


async def _as_json(lab: Lab) -> Metrics:
    return seed_metrics(lab.telemetry, await lab.looker.look(newest=NEWEST), lab.bus.figures)


with_slashes(router)
with_slashes(api)
