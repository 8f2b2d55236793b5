"""Crews as JSON, flows as YAML or JSON. Names in them are looked up among what is registered, never imported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from state.agents import AgentId, Capability

MAX_STEPS = 100
"""Agents of a crew, nodes of a flow."""
RESERVED = frozenset({"begin", "decide", "aggregate", "finish", "query", "previous", "input", "end", "client"})
"""Ids that no step may have: nodes of the graph itself, and what references and decisions name."""

Mode = Literal["sequential", "parallel", "flow", "adaptive"]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _text(value: object) -> object:
    """YAML reads a version without quotation marks as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Ids = Annotated[tuple[AgentId, ...], BeforeValidator(_listed), Field(min_length=1, max_length=MAX_STEPS)]
"""One id or several."""


class Definition(BaseModel):
    """Unknown keys are refused: a misspelt one must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentSpec(Definition):
    """An agent of a crew."""

    agent_id: AgentId
    name: str = Field("", max_length=200)
    agent_class: str = Field("ChatAgent", min_length=1, max_length=100)
    config: dict[str, Any] = Field(default_factory=dict)
    tools: tuple[str, ...] = Field((), max_length=64)
    system_prompt: str = Field("", max_length=20_000)


class FlowRelation(Definition):
    """`target` begins when `source` has ended; several on a side: each with each."""

    source: Ids
    target: Ids


class DecisionSpec(Definition):
    """Who chooses the next agent of an adaptive crew where the last one did not say."""

    model: str | None = Field(None, description="catalogue name; None: the default model")
    prompt: str = Field("", max_length=20_000, description="said to the model above the results so far")
    max_steps: int = Field(10, ge=1, le=100, description="agent calls at most")


class CrewSpec(Definition):
    """A crew, checked by itself; `graphs.crews.check` holds its names against what there is."""

    crew_id: str = Field("", max_length=200)
    name: str = Field("", max_length=200)
    description: str = Field("", max_length=2_000)
    execution_mode: Annotated[Mode, BeforeValidator(_lower)] = "sequential"
    agents: tuple[AgentSpec, ...] = Field(min_length=1, max_length=MAX_STEPS)
    flow_relations: tuple[FlowRelation, ...] = Field((), max_length=MAX_STEPS * 10)
    shared_tools: tuple[str, ...] = Field((), max_length=64)
    max_parallel_tasks: int = Field(10, ge=1, le=1_000)
    aggregator: AgentId | None = Field(None, description="the agent that makes one answer of the others' (parallel)")
    decision: DecisionSpec = DecisionSpec()
    metadata: dict[str, Any] = Field(default_factory=dict)


class FlowNode(Definition):
    """A step of a flow. `config` travels to the agent; `config.timeout` bounds the call, in seconds."""

    id: AgentId
    type: str = Field("agent", min_length=1, max_length=64)
    name: str = Field("", max_length=200)
    agent_id: AgentId | None = None
    capability: Capability | None = None
    depends_on: tuple[AgentId, ...] = Field((), max_length=MAX_STEPS)
    config: dict[str, Any] = Field(default_factory=dict)


class FlowSpec(Definition):
    """A flow, checked by itself; `graphs.flows.check` checks the whole of it."""

    flow_id: AgentId
    name: str = Field("", max_length=200)
    description: str = Field("", max_length=2_000)
    version: Annotated[str, BeforeValidator(_text)] = Field("1.0.0", max_length=64)
    nodes: tuple[FlowNode, ...] = Field(min_length=1, max_length=MAX_STEPS)
    entry_point: AgentId
    exit_points: Annotated[tuple[AgentId, ...], BeforeValidator(_listed)] = Field(min_length=1, max_length=MAX_STEPS)
    metadata: dict[str, Any] = Field(default_factory=dict)
