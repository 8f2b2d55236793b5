"""Shapes of `/agents`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from nodes.agents.breaker import decide
from server.wire.shaped import shaped
from state.agents import AGENT_ID, AgentRecord, Health, NewAgent, Origin, Status
from state.errors import BadRequest

RegisteredId = Annotated[str, Path(pattern=rf"^{AGENT_ID}$", description="id of a registered agent")]
ListedStatus = Literal["idle", "busy", "offline", "inactive", "active"]
Limit = Annotated[int, Query(ge=1, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]


_SWITCHES = ("enabled", "active")


class AgentChange(BaseModel):
    """What is named is replaced, the rest stays."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    description: str = ""
    agent_type: str = "agent"
    agent_class: str = "HttpAgent"
    endpoint: str | None = Field(
        None, description="called at `{endpoint}/process`; where it changes, the api_key is forgotten"
    )
    capabilities: list[str] = []
    config: dict[str, Any] = {}
    tools: list[str] = []
    system_prompt: str = ""
    api_key: SecretStr | None = Field(None, description="sent to the agent, never shown; null: none")
    metadata: dict[str, Any] = {}
    enabled: bool = Field(True, description="false: switched off, nobody calls it")
    active: bool = Field(True, description="the same as enabled, by the name under which it is shown")

    @property
    def said(self) -> dict[str, Any]:
        """What a body named, the switch apart."""
        return {name: getattr(self, name) for name in self.model_fields_set if name not in (*_SWITCHES, "agent_id")}

    @property
    def switch(self) -> bool | None:
        """None: the body says nothing of it. Raises BadRequest where it says both."""
        said = {getattr(self, name) for name in _SWITCHES if name in self.model_fields_set}
        if len(said) > 1:
            raise BadRequest(f"enabled is {self.enabled}, active {self.active}; they are one switch: name one of them")
        return said.pop() if said else None


class AgentPut(AgentChange):
    """An agent whole: what is left out is as in a new one. Its switch and its api_key stay unless they are named."""

    agent_id: str | None = Field(None, description="as in the path, if it is said")


class BreakerInfo(BaseModel):
    """The circuit breaker, shared by all processes."""

    state: Literal["closed", "open", "half-open"]
    failures: int = Field(description="in a row")
    open_until: datetime | None = Field(description="no call before; then one call tries")


class HealthInfo(BaseModel):
    """What the last look at an agent, or its heartbeats, showed."""

    agent_id: str
    status: Status
    health: Health
    healthy: bool = Field(description="it may be called, as far as this goes")
    error: str | None
    seconds: float | None = Field(description="until it answered")
    checked_at: datetime | None = Field(description="null: nobody has looked yet")
    last_heartbeat: datetime | None


class AgentInfo(BaseModel):
    """A registered agent, without its key."""

    agent_id: str
    name: str
    description: str
    endpoint: str | None
    capabilities: list[str]
    agent_type: str
    agent_class: str
    status: Status = Field(description="busy while a call runs anywhere, offline when its health check fails")
    active: bool = Field(description="switched on")
    running: int = Field(description="calls in flight")
    message_count: int = Field(description="calls so far")
    health: HealthInfo
    breaker: BreakerInfo
    last_heartbeat: datetime | None
    config: dict[str, Any]
    tools: list[str]
    system_prompt: str
    metadata: dict[str, Any]
    origin: Origin
    has_api_key: bool
    created_at: datetime
    updated_at: datetime


class Heartbeat(BaseModel):
    """An agent that has said that it lives."""

    agent_id: str
    last_heartbeat: datetime


class CapabilityInfo(BaseModel):
    """What enabled agents can."""

    capability: str
    agents: list[str]


class TypeInfo(BaseModel):
    """An open word, and how many agents are of it."""

    agent_type: str
    count: int


class ClassInfo(BaseModel):
    """A kind of agent that can be registered, or be part of a crew."""

    agent_class: str
    description: str
    capabilities: list[str]


class TypesInfo(BaseModel):
    """Types of registered agents, and the classes that there are."""

    types: list[TypeInfo]
    classes: list[ClassInfo]


def agent_info(record: AgentRecord, now: datetime) -> AgentInfo:
    """What clients see of an agent."""
    return AgentInfo(
        agent_id=record.agent_id,
        name=record.name,
        description=record.description,
        endpoint=record.endpoint,
        capabilities=[*record.capabilities],
        agent_type=record.agent_type,
        agent_class=record.agent_class,
        status=record.status,
        active=record.enabled,
        running=record.running,
        message_count=record.message_count,
        health=health_info(record),
        breaker=breaker_info(record, now),
        last_heartbeat=record.heartbeat_at,
        config={**record.config},
        tools=[*record.tools],
        system_prompt=record.system_prompt,
        metadata={**record.metadata},
        origin=record.origin,
        has_api_key=record.api_key is not None,
        created_at=record.created_at,
        updated_at=record.updated_at,
    )


def health_info(record: AgentRecord) -> HealthInfo:
    return HealthInfo(
        agent_id=record.agent_id,
        status=record.status,
        health=record.health,
        healthy=record.healthy,
        error=record.health_error,
        seconds=record.health_seconds,
        checked_at=record.checked_at,
        last_heartbeat=record.heartbeat_at,
    )


def breaker_info(record: AgentRecord, now: datetime) -> BreakerInfo:
    """Half-open from the end of its rest until somebody's trial has told."""
    breaker = record.breaker
    resting = breaker.open_until is not None and now < breaker.open_until
    state: Literal["closed", "open", "half-open"] = (
        "closed" if decide(breaker, now) == "closed" else "open" if resting else "half-open"
    )
    return BreakerInfo(state=state, failures=breaker.failures, open_until=breaker.open_until)


def new_agent(agent_id: str, fields: dict[str, Any]) -> NewAgent:
    """An agent out of a body's fields. Raises BadRequest, which names the field."""
    return shaped(NewAgent, {**fields, "agent_id": agent_id})
