"""`/monitoring`: how the agents, crews and flows of this server fare."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil
from fastapi import APIRouter, Response

from server.db.jobs import BOTH, JobFilter
from server.deps import CurrentLab, CurrentTenant
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.executions import execution_listed, now
from server.wire.figures import (
    agent_times,
    agents_stats,
    delivery_stats,
    executions_by_name,
    executions_stats,
    messages_stats,
)
from server.wire.told import told

router = APIRouter(prefix="/monitoring", tags=["lab"])

RECENT = 20


@router.get("/stats", responses=told("SystemStats"))
async def get_system_stats(lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Agents by status, executions by state, messages by agent; of this process memory and messages' latency."""
    figures = await lab.executions.figures(tenant, BOTH, by_name=False)
    kept, said = await lab.executions.said(tenant)
    process = await asyncio.to_thread(_process)
    return answer(
        {
            "agents": agents_stats(await lab.agents.agents.count_by_status(tenant)),
            "executions": executions_stats(figures),
            "messages": messages_stats(kept, said, await lab.bus.depths()),
            "this_process": {
                **process,
                "messages": delivery_stats(lab.bus.figures, process["uptime_seconds"]),
                "models": lab.models.reading().model_dump(mode="json"),
            },
        }
    )


@router.get("/executions", responses=told("ExecutionFigures"))
async def get_execution_metrics(lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Executions by crew and flow: counts, success, times; the latest of them; and the times of each agent."""
    figures = await lab.executions.figures(tenant, BOTH, by_name=True)
    recent, total = await lab.executions.search(tenant, JobFilter(), limit=RECENT, offset=0)
    return answer(
        {
            "total": total,
            "executions": executions_by_name(figures),
            "recent": [execution_listed(job, now()) for job in recent],
            "agents": agent_times(await lab.agents.agent_runs.figures(tenant)),
        }
    )


def _process() -> dict[str, Any]:
    """Of this process; seconds and bytes."""
    process = psutil.Process()
    with process.oneshot():
        cpu = process.cpu_times()
        return {
            "uptime_seconds": round(time.time() - process.create_time(), 3),
            "cpu_seconds": cpu.user + cpu.system,
            "resident_bytes": process.memory_info().rss,
            "threads": process.num_threads(),
        }


with_slashes(router)
