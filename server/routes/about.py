"""What the server is and how it does: `/info`, `/ok`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from server.deps import CurrentLab
from server.streaming.inputs import API_VERSION
from server.wire.answers import answer
from server.wire.health import Service
from server.wire.told import told

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

ENDPOINTS = {
    "inference": "/inference",
    "orchestrate": "/orchestrate",
    "models": "/models",
    "cache": "/cache",
    "health": "/health",
    "metrics": "/metrics",
    "execute": "/api/v1/execute",
    "ready": "/api/v1/ready",
    "history": "/api/v1/history",
    "crews": "/api/v1/crew",
    "flows": "/flows",
    "agents": "/agents",
    "assistants": "/assistants",
    "threads": "/threads",
    "runs": "/runs",
    "store": "/store/items",
}
"""The doors that `/` names."""


@alive.api_route("/ok", methods=_READ, operation_id="health_check_ok_get", responses=told("Alive"))
async def ok(lab: CurrentLab, check_db: Annotated[int, Query(ge=-(2**31), lt=2**31)] = 0) -> Response:
    """Whether the server is up; with `check_db=1` also whether Postgres answers. Raises NoDatabase."""
    meta = lab.application.config is None or not lab.application.config.http.disable_meta
    if check_db and meta:
        await lab.database.ping()
    return answer({"ok": True, "services": {}} if meta else {"ok": True})


@router.api_route("/", methods=_READ, operation_id="service_info_get")
async def root(request: Request, lab: CurrentLab) -> Service:
    """What answers here: name, version, graphs, and where the rest is found."""
    app = request.app
    prefix = request.url.path.rstrip("/")
    return Service(
        docs=app.docs_url,
        openapi=app.openapi_url,
        graphs=sorted(lab.application.names),
        endpoints={name: prefix + path for name, path in ENDPOINTS.items() if prefix + path in app.state.served},
    )


@router.api_route("/info", methods=_READ, operation_id="server_info_info_get", responses=told("ServerInfo"))
async def info() -> Response:
    """Version and what clients may count on."""
    return answer(INFO)
