"""The channels of crews and flows. One writer a channel, named in its docstring; lists grow through reducers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import BaseModel, ConfigDict, Field

from state.channels import Typed, appended
from state.messages import AgentMessage, append_messages
from state.models import Strategy
from state.shared import SharedChange

StepStatus = Literal["completed", "failed", "skipped"]


class CrewContext(BaseModel):
    """Settings of one run of a crew or a flow; plain JSON. What an agent's own config says goes before it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str | None = Field(None, description="catalogue name; None: the default model")
    strategy: Strategy | None = None
    temperature: float = Field(0.0, ge=0.0, le=2.0)
    max_tokens: int | None = Field(None, gt=0)
    seed: int | None = Field(None, ge=0, lt=2**63)


class Tried(BaseModel):
    """One agent that did not answer."""

    model_config = ConfigDict(frozen=True)

    agent_id: str
    error: str


class StepOutcome(BaseModel):
    """What became of one step: of a crew one agent's turn, of a flow one node."""

    model_config = ConfigDict(frozen=True)

    step: str
    agent_id: str
    """Who answered: the fallback where there was one; the last one asked where none did."""
    agent_name: str = ""
    agent_class: str = ""
    status: StepStatus
    output: Any = None
    """Plain JSON."""
    text: str = ""
    error: str | None = None
    attempts: int = 0
    """Calls, the retries and fallbacks included."""
    tried: tuple[Tried, ...] = ()
    """Those asked before who failed."""
    started_at: datetime
    ended_at: datetime
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    model: str | None = None
    next: str | None = None


class LogEntry(BaseModel):
    """A line of the execution log."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    event: str
    """started, completed, failed, fallback, skipped, decided, combined, finished."""
    step: str | None = None
    agent_id: str | None = None
    detail: str = ""


class AgentExecution(BaseModel):
    """Per-agent execution info, as the result tells it."""

    model_config = ConfigDict(frozen=True)

    step: str
    agent_id: str
    agent_name: str
    agent_class: str
    status: StepStatus
    execution_time: float
    """Seconds."""
    attempts: int
    input_tokens: int
    output_tokens: int
    model: str | None
    error: str | None
    fallback_for: str | None = None
    """The agent in whose place this one answered."""


class CrewResult(BaseModel):
    """What a run of a crew or a flow returns; `node_results` by step id."""

    model_config = ConfigDict(frozen=True)

    output: str
    results: tuple[str, ...]
    agent_ids: tuple[str, ...]
    agents: tuple[AgentExecution, ...]
    execution_log: tuple[LogEntry, ...]
    node_results: dict[str, Any]
    metadata: dict[str, Any]


class CrewInput(BaseModel):
    """What a client sends: `query`, or the last human message, or the `input_data` of a flow."""

    query: Annotated[str, Typed] = ""
    input_data: Annotated[dict[str, Any], Typed] = Field(default_factory=dict)
    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)


class CrewState(CrewInput):
    """All but `messages`, `heard` and `shared` belongs to the current run and is reset by `begin`."""

    task: Annotated[str, Typed] = ""
    """What is asked, as a text. Written by `begin`, which empties `query` and `input_data` for the next run."""
    heard: Annotated[str | None, Typed] = None
    """The id of the newest message when the run began: it asks nothing of later runs. Written by `begin`."""
    given: Annotated[dict[str, Any], Typed] = Field(default_factory=dict)
    """The `input_data` of this run. Written by `begin`."""
    outcomes: Annotated[list[StepOutcome], appended(StepOutcome)] = Field(default_factory=list)
    """Appended by each step, in the order of the graph."""
    agent_messages: Annotated[list[AgentMessage], append_messages] = Field(default_factory=list)
    """Appended by each step, with what it was told, and by `finish`."""
    shared: Annotated[list[SharedChange], appended(SharedChange)] = Field(default_factory=list)
    """The shared context. Appended by steps."""
    log: Annotated[list[LogEntry], appended(LogEntry)] = Field(default_factory=list)
    """Appended by every node."""
    choice: Annotated[str | None, Typed] = None
    """The next agent of an adaptive crew, or `end`. Written by `decide`."""
    result: Annotated[CrewResult | None, Typed] = None
    """Written by `finish`."""


class CrewOutput(BaseModel):
    """What a run returns. `messages` ends with the output, so that a chat shows it.

    `outcomes` is among it for clients that hear the updates of each step: they get each agent's answer as it comes.
    """

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    outcomes: Annotated[list[StepOutcome], appended(StepOutcome)] = Field(default_factory=list)
    result: Annotated[CrewResult | None, Typed] = None
