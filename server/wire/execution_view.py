"""An execution as `/api/v1/execute` and the history tell it: out of what is known of its run, whatever its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from server.db.jobs import IN_FLIGHT, JobStatus
from server.job_requests import MARKS
from server.run_queue.shapes import Run
from server.streaming.lab_nodes import NodeVisit
from server.wire.assistants import stamp

TEAM = "execute/agents"
"""The crew_id of the agents that a client named for one execution; no crew that is kept can be called so."""
OWN_MARKS = frozenset({*MARKS, "execution_type"})
"""Keys of a run's metadata that are the server's."""


@dataclass(frozen=True)
class Execution:
    """A run, of whatever graph, as the history has it: with the runs that brought answers to what it asked."""

    execution_id: UUID
    """The first run's."""
    run_id: UUID
    """The last one's."""
    thread_id: UUID
    graph_id: str
    status: JobStatus
    prompt: str | None
    result: Mapping[str, Any] | None
    """`state.tasks.Result` or `state.crew_run.CrewResult` as JSON; other graphs leave other things, or nothing."""
    settings: Mapping[str, Any]
    """What its context asked for."""
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    """The text of the answer; None: what the result says."""


def execution_view(
    execution: Execution,
    now: datetime,
    *,
    nodes: Sequence[NodeVisit] = (),
    going_on_at: Sequence[str] = (),
    interrupts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """An ExecutionResult. `interrupts`: what it asks, as the event `interrupt` tells it; `going_on_at`: nodes."""
    result = execution.result or {}
    metrics = _metrics(execution)
    return {
        "execution_id": str(execution.execution_id),
        "run_id": str(execution.run_id),
        "thread_id": str(execution.thread_id),
        "execution_type": execution_type_of(execution.graph_id, execution.metadata),
        "status": execution.status,
        "prompt": execution.prompt,
        "output": execution.output if execution.output is not None else _of(result, "output", str),
        "score": _of(result, "score", int | float),
        "attempts": _of(result, "attempts", int),
        "kind": _of(result, "kind", str),
        "language": _of(result, "language", str),
        "model": (metrics or {}).get("model_name") or execution.settings.get("model"),
        "strategy": (metrics or {}).get("strategy") or execution.settings.get("strategy"),
        "agents": [*dict.fromkeys(agent["agent_id"] for agent in _agents(result))],
        "tools": execution.settings.get("tools"),
        "nodes": [_node(visit) for visit in nodes],
        "flow_state": _flow_state(execution, nodes, going_on_at),
        "metrics": metrics,
        "interrupts": [{"interrupt_id": asked["interrupt_id"], "value": asked["value"]} for asked in interrupts],
        "error": execution.error,
        "created_at": stamp(execution.created_at),
        "started_at": stamp(execution.started_at) if execution.started_at else None,
        "completed_at": stamp(execution.finished_at) if _is_over(execution) and execution.finished_at else None,
        "execution_time": _seconds(execution, now),
        "metadata": {key: value for key, value in execution.metadata.items() if key not in OWN_MARKS},
    }


def accepted_view(run: Run) -> dict[str, Any]:
    """The answer to one in the background: pending, also where it has begun already."""
    return {
        "execution_id": str(run.run_id),
        "run_id": str(run.run_id),
        "thread_id": str(run.thread_id),
        "execution_type": execution_type_of(run.graph_id, run.metadata),
        "status": "PENDING",
        "created_at": stamp(run.created_at),
        "message": f"it is in the queue; GET /api/v1/history/{run.run_id} tells how it stands",
    }


def execution_type_of(graph_id: str, metadata: Mapping[str, Any]) -> str:
    """What a run is called in the history: by what asks for such runs, else by its graph."""
    if graph_id == "crew" and metadata.get("crew_id") == TEAM:
        return "orchestrator"
    return {"direct": "simple", "lab:direct": "simple", "lab:orchestrator": "orchestrator"}.get(graph_id, graph_id)


def _metrics(execution: Execution) -> dict[str, Any] | None:
    """The seed's block: of a lab run as its calls measured it, of a crew or a flow what its agents told."""
    result = execution.result or {}
    if isinstance(measured := result.get("metrics"), Mapping):
        return dict(measured)
    agents = _agents(result)
    if not agents:
        return None
    spent = [agent for agent in agents if agent.get("model")]
    models = [*dict.fromkeys(str(agent["model"]) for agent in spent)]
    seconds = sum(_number(agent.get("execution_time")) for agent in agents)
    return {
        "model_name": ", ".join(models) or None,
        "strategy": execution.settings.get("strategy"),
        "cache_hit": None,
        "load_time_sec": None,
        "gpu_memory_used_gb": None,
        "inference_time_sec": round(seconds, 4),
        "total_time_sec": round(seconds, 4),
        "prompt_tokens": int(sum(_number(agent.get("input_tokens")) for agent in agents)),
        "tokens_generated": int(sum(_number(agent.get("output_tokens")) for agent in agents)),
    }


def _flow_state(execution: Execution, nodes: Sequence[NodeVisit], going_on_at: Sequence[str]) -> dict[str, Any]:
    by_status: dict[str, dict[str, None]] = {}
    for visit in nodes:
        by_status.setdefault(visit.status, {})[visit.node] = None
    current = [*by_status.get("running", {})]
    return {
        "graph": execution.graph_id,
        "status": execution.status,
        "current_node": current[0] if current else None,
        "current_nodes": current,
        "completed_nodes": [*by_status.get("completed", {})],
        "failed_nodes": [*by_status.get("failed", {})],
        "next": list(going_on_at),
    }


def _node(visit: NodeVisit) -> dict[str, Any]:
    return {"node": visit.node, "status": visit.status, "seconds": visit.seconds, "error": visit.error}


def _agents(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a crew's or a flow's result; clients may write states, so that anything may stand there."""
    found = result.get("agents")
    listed = found if isinstance(found, list) else []
    return [each for each in listed if isinstance(each, Mapping) and isinstance(each.get("agent_id"), str)]


def _of(result: Mapping[str, Any], name: str, kind: Any) -> Any:
    """What a result says; graphs of others may leave something else there."""
    found = result.get(name)
    return found if isinstance(found, kind) and not isinstance(found, bool) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 2**53 else 0.0


def _is_over(execution: Execution) -> bool:
    return execution.status not in (*IN_FLIGHT, "INTERRUPTED")


def _seconds(execution: Execution, now: datetime) -> float | None:
    if execution.started_at is None:
        return None
    ends = now if execution.status in IN_FLIGHT else execution.finished_at or now
    return round(max(0.0, (ends - execution.started_at).total_seconds()), 3)
