"""`POST /api/v1/execute`: what asks for an execution, and the shape in which one is told there and in the history."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from server.db.jobs import JobStatus
from server.streaming.lab_nodes import NodeStatus
from server.wire.executions import Metadata
from server.wire.lab import OrchestrateRequest
from state.agents import AgentId
from state.flows import MAX_STEPS

ExecutionType = Literal["simple", "orchestrator"]


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
