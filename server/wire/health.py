"""Shapes of `/health`, `/api/v1/health`, `/api/v1/ready` and `/`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import psutil
from pydantic import BaseModel, Field

from server.health import Looked, Status, overall
from server.wire.device import DeviceInfo, SystemInfo
from state.resources import Reading

VERSION = version("agent-lab")


class BasicHealth(BaseModel):
    """The least that is told of a server."""

    status: Status
    service: Literal["agent-lab"] = "agent-lab"
    version: str = VERSION
    timestamp: str = Field(description="ISO 8601, UTC")
    uptime_sec: float = Field(description="of the process")


class Health(BasicHealth):
    """The machine, Postgres and the memory that models take."""

    database: str = Field(description="Postgres and its version, or what is wrong with it", examples=["Postgres 18.4"])
    device: DeviceInfo
    system: SystemInfo
    memory: Reading


class ComponentHealth(BaseModel):
    status: Status
    latency_ms: float
    vital: bool = Field(description="without it nothing is served")
    detail: str | None = Field(description="what is wrong, in one line")
    info: dict[str, Any] = Field(description="figures of this component")


class DetailedHealth(BasicHealth):
    """`down` when a vital component is, `degraded` when any is not well."""

    components: dict[str, ComponentHealth]


class Ready(BaseModel):
    ready: Literal[True] = True


class Service(BaseModel):
    """What answers here."""

    ok: Literal[True] = True
    services: dict[str, Any] = Field({}, description="empty, as clients of the Agent Server know it")
    name: str = "Agent Lab"
    version: str = VERSION
    status: Literal["ok"] = "ok"
    docs: str
    openapi: str
    graphs: list[str]
    endpoints: dict[str, str] = Field(description="paths by name, of those that are served")


def alive_now() -> dict[str, Any]:
    """The fields of `BasicHealth` that a clock tells. Blocks for a file."""
    started = psutil.Process().create_time()
    return {"timestamp": datetime.now(UTC).isoformat(), "uptime_sec": round(max(0.0, time.time() - started), 3)}


def detailed_view(looked: Sequence[Looked], alive: dict[str, Any]) -> DetailedHealth:
    components = {
        one.part.name: ComponentHealth(
            status=one.finding.status,
            latency_ms=round(one.seconds * 1e3, 3),
            vital=one.part.vital,
            detail=one.finding.detail,
            info=dict(one.finding.figures),
        )
        for one in looked
    }
    return DetailedHealth(status=overall(looked), components=components, **alive)
