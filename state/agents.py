"""Agents as they are registered, how well they are, and what passes between an agent and whoever calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

AGENT_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
AgentId = Annotated[str, StringConstraints(pattern=rf"^{AGENT_ID}$")]
"""Of an agent, and of a step, which is a node of its graph: letters, digits, `_`, `-` and `.`."""
Capability = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^\S(.*\S)?$")]

Origin = Literal["api", "builtin", "folder", "plugin"]
"""Who registered an agent: a client, this project, the folder of LAB_AGENTS_DIR, an installed package."""
Health = Literal["unknown", "healthy", "unhealthy"]
Status = Literal["idle", "busy", "offline", "inactive"]
"""In service `busy` while a call runs, else `idle`; `offline` when its health check fails; `inactive`: switched off."""


class NewAgent(BaseModel):
    """An agent as it is registered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent_id: AgentId
    name: str = Field("", max_length=200, description="the id where none is given")
    description: str = Field("", max_length=2_000)
    agent_type: str = Field("agent", min_length=1, max_length=64, description="an open word, such as input or react")
    agent_class: str = Field("HttpAgent", max_length=100, description="the kind of agent that answers")
    endpoint: str | None = Field(None, max_length=2_000, description="called at `{endpoint}/process`")
    capabilities: tuple[Capability, ...] = Field((), max_length=64)
    config: dict[str, Any] = Field(default_factory=dict)
    tools: tuple[str, ...] = Field((), max_length=64)
    system_prompt: str = Field("", max_length=20_000)
    api_key: SecretStr | None = Field(None, description="sent to the agent, never shown again")
    metadata: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Breaker:
    """What is known of an agent's failures, shared by all processes."""

    failures: int = 0
    """In a row."""
    open_until: datetime | None = None
    """No call before; afterwards one call tries (half-open)."""
    probe_until: datetime | None = None
    """Somebody is trying; until then nobody else does."""


@dataclass(frozen=True)
class AgentRecord:
    """A row of `agents`."""

    agent_id: str
    name: str
    description: str
    agent_type: str
    agent_class: str
    endpoint: str | None
    capabilities: tuple[str, ...]
    config: Mapping[str, Any]
    tools: tuple[str, ...]
    system_prompt: str
    metadata: Mapping[str, Any]
    origin: Origin
    enabled: bool
    health: Health
    health_error: str | None
    health_seconds: float | None
    checked_at: datetime | None
    heartbeat_at: datetime | None
    message_count: int
    created_at: datetime
    updated_at: datetime
    running: int = 0
    """Calls in flight, of every process that lives."""
    breaker: Breaker = field(default_factory=Breaker)
    api_key: SecretStr | None = field(default=None, repr=False)

    @property
    def status(self) -> Status:
        if not self.enabled:
            return "inactive"
        if self.health == "unhealthy":
            return "offline"
        return "busy" if self.running else "idle"

    @property
    def healthy(self) -> bool:
        """Whether it may be chosen; one that nobody has looked at yet may."""
        return self.enabled and self.health != "unhealthy"


@dataclass(frozen=True)
class AgentReply:
    """What an agent answered."""

    output: Any
    """Plain JSON: an object or a text."""
    text: str
    """The same for reading: what the next agent, a chat or a page is shown."""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str | None = None
    next: str | None = None
    """In an adaptive crew: the agent that shall go on, or `end`; None leaves it to the decision."""
