"""What counts as it happens, one of each a process, handed to whoever it happens to. Start here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from server.telemetry.agents import AgentMeter
from server.telemetry.cpu import CpuShare
from server.telemetry.database import DatabaseMeter
from server.telemetry.models import ModelMeter
from server.telemetry.requests import Requests
from server.telemetry.runs import RunMeter


@dataclass(frozen=True)
class Telemetry:
    """Use `new_telemetry`."""

    registry: CollectorRegistry
    """Of what follows; never the library's own, which two labs of one process would share."""
    requests: Requests
    runs: RunMeter
    models: ModelMeter
    agents: AgentMeter
    database: DatabaseMeter
    cpu: CpuShare
    started_at: float
    """Seconds of the monotonic clock."""


def new_telemetry() -> Telemetry:
    registry = CollectorRegistry()
    models = ModelMeter(registry)
    return Telemetry(
        registry,
        Requests(),
        RunMeter(registry, models),
        models,
        AgentMeter(registry),
        DatabaseMeter(registry),
        CpuShare(),
        time.monotonic(),
    )
