"""What the server is and how it does: `/info`, `/ok`, `/metrics`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from server.deps import CurrentLab
from server.metrics import Gauges, as_json, as_prometheus
from server.run_queue.worker import SLOTS
from server.streaming.inputs import API_VERSION
from server.wire.answers import answer

PROMETHEUS = "text/plain; version=1.0.0; charset=utf-8"

INFO = {
    "version": API_VERSION,
    "langgraph_py_version": version("langgraph"),
    "flags": {
        "assistants": True,
        "crons": True,
        "langsmith": False,
        # Whether a run's body may say such things, not whether anything is sent there: nothing is.
        "langsmith_tracing_replicas": True,
        "langsmith_tracing_session_on_runs": True,
    },
    "host": {
        "kind": "self-hosted",
        "project_id": None,
        "host_revision_id": None,
        "revision_id": None,
        "tenant_id": None,
    },
}

alive = APIRouter(tags=["System"])
"""Answers whatever is switched off."""
router = APIRouter(tags=["System"])

_READ = ["GET", "HEAD"]


@alive.api_route("/ok", methods=_READ, operation_id="health_check_ok_get")
async def ok(lab: CurrentLab, check_db: Annotated[int, Query(ge=-(2**31), lt=2**31)] = 0) -> Response:
    """Whether the server is up; with `check_db=1` also whether Postgres answers. Raises NoDatabase."""
    meta = lab.application.config is None or not lab.application.config.http.disable_meta
    if check_db and meta:
        await lab.database.ping()
    return answer({"ok": True, "services": {}} if meta else {"ok": True})


@router.api_route("/", methods=_READ, include_in_schema=False)
async def root() -> Response:
    """The same, for those who only try the address."""
    return answer({"ok": True, "services": {}})


@router.api_route("/info", methods=_READ, operation_id="server_info_info_get")
async def info() -> Response:
    """Version and what clients may count on."""
    return answer(INFO)


@router.api_route("/metrics", methods=_READ, operation_id="system_metrics_metrics_get")
async def metrics(request: Request, lab: CurrentLab, format: str = "prometheus") -> Response:
    """Requests, queue, workers, agents' messages and the process: for Prometheus, or with `format=json` as JSON."""
    counts = await lab.queue.counts()
    slots = SLOTS * lab.settings.workers
    gauges = Gauges(
        counts.get("pending", 0),
        counts.get("running", 0),
        slots,
        request.app.state.requests,
        lab.bus.figures,
        await lab.bus.depths(),
    )
    if format == "json":
        return answer(as_json(gauges))
    return Response(as_prometheus(gauges), headers={"content-type": PROMETHEUS})
