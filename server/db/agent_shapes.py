"""What is asked of the registry of agents, and its rows as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg.rows import DictRow
from pydantic import SecretStr

from nodes.agents.remote import key_text
from server.db.json_values import exact_json
from state.agents import AgentRecord, Breaker, Health, NewAgent, Origin, Status
from state.errors import BadRequest

_FIELDS = tuple(name for name in AgentRecord.__dataclass_fields__ if name not in ("breaker", "api_key"))


MAX_BYTES = 64 * 1024
"""Of an agent's config and metadata as JSON: whoever chooses among agents, or lists them, reads those of all."""
REMOTE_CLASSES = frozenset({"HttpAgent", "A2AAgent"})
"""Of agents that are called at an endpoint."""


@dataclass(frozen=True)
class AgentFilter:
    """None: any. `active`: switched on, whatever it does."""

    capability: str | None = None
    agent_type: str | None = None
    status: Status | Literal["active"] | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class ToCheck:
    """An agent whose health somebody is to look at."""

    tenant_id: str
    agent_id: str
    endpoint: str


@dataclass(frozen=True)
class Looked:
    """What a look at an agent showed; `seconds` until it answered."""

    health: Health
    error: str | None = None
    seconds: float | None = None


def record_of(row: DictRow) -> AgentRecord:
    """A row of `agents` with `running` beside it."""
    breaker = Breaker(failures=row["failures"], open_until=row["open_until"], probe_until=row["probe_until"])
    key = None if row["api_key"] is None else SecretStr(row["api_key"])
    values: dict[str, Any] = {name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in _FIELDS}
    return AgentRecord(**values, breaker=breaker, api_key=key)


def as_registered(record: AgentRecord) -> NewAgent:
    """What would register it as it is; its key is not named, and so stays."""
    return NewAgent(**{name: getattr(record, name) for name in NewAgent.model_fields if name != "api_key"})


def plain_agent(agent: NewAgent) -> dict[str, Any]:
    """The columns of an agent but its key: the name is its id where it has none, capabilities and tools once each."""
    said = agent.model_dump(exclude={"api_key"})
    return {
        **said,
        "name": agent.name or agent.agent_id,
        "endpoint": None if agent.endpoint is None else normal_endpoint(agent.endpoint),
        "capabilities": list(dict.fromkeys(agent.capabilities)),
        "tools": list(dict.fromkeys(agent.tools)),
    }


def normal_endpoint(endpoint: str) -> str:
    """Without a slash at its end: what is called is a path below it."""
    return endpoint.rstrip("/")


def row_of(agent: NewAgent) -> dict[str, Any]:
    """Values for `register`. Raises BadRequest for what is too large, or what Postgres cannot keep as it is."""
    said = plain_agent(agent)
    exact_json(f"agent '{agent.agent_id}'", said)
    size = len(json.dumps([said["config"], said["metadata"]]))
    if size > MAX_BYTES:
        raise BadRequest(f"agent '{agent.agent_id}': config and metadata are {size} bytes of JSON, at most {MAX_BYTES}")
    return {
        **said,
        "config": exact_json("config", said["config"]),
        "metadata": exact_json("metadata", said["metadata"]),
        "api_key": key_text(agent.api_key),
        "keeps_key": "api_key" not in agent.model_fields_set,
    }


def rows_of(agents: Mapping[str, tuple[NewAgent, Origin]]) -> list[dict[str, Any]]:
    """For `refresh`, by id."""
    return [{**plain_agent(agent), "origin": origin} for agent, origin in agents.values()]
