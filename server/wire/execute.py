"""`POST /api/v1/execute`: what asks for an execution, and an execution as it is shown there and in the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from server.db.jobs import IN_FLIGHT, JobStatus
from server.job_requests import MARKS
from server.run_queue.shapes import Run
from server.streaming.lab_nodes import NodeStatus, NodeVisit
from server.wire.assistants import stamp
from server.wire.executions import Metadata
from server.wire.lab import OrchestrateRequest
from state.agents import AgentId
from state.flows import MAX_STEPS

ExecutionType = Literal["simple", "orchestrator"]
TEAM = "execute/agents"
"""The crew_id of the agents that a client named for one execution; no crew that is kept can be called so."""
OWN_MARKS = frozenset({*MARKS, "execution_type"})
"""Keys of a run's metadata that are the server's."""


class ExecutionRequest(OrchestrateRequest):
    """One execution: `simple`, one call of one model; `orchestrator`, its workers, or the agents that are named."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prompt": "What is 12 * 7?", "execution_type": "simple", "parameters": {"max_tokens": 64}},
                {"prompt": "What is 12 * 7?", "execution_type": "orchestrator", "tools": ["calculator"]},
                {
                    "prompt": "Why is the sky blue?",
                    "execution_type": "orchestrator",
                    "agents": ["researcher", "writer"],
                },
            ]
        }
    )

    execution_type: ExecutionType = "simple"
    agents: list[AgentId] = Field(
        default_factory=list,
        max_length=MAX_STEPS,
        description="registered agents, asked one after the other (GET /agents); none, or the orchestrator's own "
        "workers by name: the orchestrator answers",
    )
    stream: bool = Field(False, description="answer with server-sent events, as Accept: text/event-stream does")
    background: bool = Field(False, description="answer at once (202) with where the execution is told of")
    webhook_url: str | None = Field(None, min_length=1, max_length=4_096, description="told of the end, by POST")
    metadata: Metadata = Field(default_factory=dict, description="kept with the execution and shown with it")


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


class ExecutionNode(BaseModel):
    """One visit of a node. `seconds` is null while it runs."""

    node: str
    status: NodeStatus
    seconds: float | None
    error: str | None = None


class FlowState(BaseModel):
    """How far it has come. A node that was visited several times stands once in a list."""

    graph: str
    status: JobStatus
    current_node: str | None
    current_nodes: list[str]
    completed_nodes: list[str]
    failed_nodes: list[str]
    next: list[str] = Field(description="where it goes on when what it asks is answered")


class ExecutionMetrics(BaseModel):
    """Of all model calls together, as `state.models.CallMetrics` has them; of agents, what nobody measured is null."""

    model_name: str | None
    strategy: str | None
    cache_hit: bool | None = Field(description="the model was resident when it was asked for")
    load_time_sec: float | None
    inference_time_sec: float
    total_time_sec: float
    tokens_generated: int
    gpu_memory_used_gb: float | None
    prompt_tokens: int = 0
    prompt_tokens_reused: int = 0
    queue_wait_sec: float = 0.0
    time_to_first_token_sec: float | None = None
    tokens_per_sec: float = 0.0


class ExecutionSummary(BaseModel):
    """An execution in a list. Times are ISO 8601; `execution_time` is in seconds, waiting for answers included."""

    execution_id: UUID
    run_id: UUID
    thread_id: UUID
    execution_type: str = Field(description="simple, orchestrator; in the history also crew, flow, or another graph")
    status: JobStatus
    prompt: str | None
    output: str | None
    score: float | None
    attempts: int | None
    kind: str | None
    language: str | None
    model: str | None
    strategy: str | None
    agents: list[str]
    tools: list[str] | None = Field(description="offered at most; null: those the request called for")
    metrics: ExecutionMetrics | None
    interrupts: list[dict[str, Any]] = Field(description="what a human is asked: `interrupt_id` and `value`")
    error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    execution_time: float | None
    metadata: dict[str, Any]


class ExecutionResult(ExecutionSummary):
    """An execution whole."""

    nodes: list[ExecutionNode]
    flow_state: FlowState


class AcceptedExecution(BaseModel):
    """An execution in the background."""

    execution_id: UUID
    run_id: UUID
    thread_id: UUID
    execution_type: str
    status: Literal["PENDING"] = "PENDING"
    created_at: datetime
    message: str


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
