"""An assistant as it is kept, asked for, changed and looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

SortBy = Literal["assistant_id", "created_at", "updated_at", "name", "graph_id"]

SYSTEM_IDS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The name space of system assistants' ids: the one every Agent Server uses, so that ids can be computed anywhere."""


@dataclass(frozen=True)
class Assistant:
    """A row of `assistants`."""

    assistant_id: UUID
    graph_id: str
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]
    name: str
    created_at: datetime
    updated_at: datetime
    version: int
    description: str | None


@dataclass(frozen=True)
class AssistantVersion:
    """What an assistant was at one version; `created_at` is when it became so."""

    assistant_id: UUID
    version: int
    graph_id: str
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]
    created_at: datetime
    name: str
    description: str | None


@dataclass(frozen=True)
class NewAssistant:
    """An assistant as it is asked for."""

    assistant_id: UUID
    graph_id: str
    name: str = "Untitled"
    description: str | None = None
    config: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AssistantChange:
    """What a client changes; None keeps what is there, and so does an empty `config`."""

    graph_id: str | None = None
    name: str | None = None
    description: str | None = None
    config: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    """Merged with what is there, key by key at the top level."""


@dataclass(frozen=True)
class AssistantFilter:
    """Which assistants are meant: those whose metadata contains `metadata` and whose name contains `name`."""

    metadata: Mapping[str, Any]
    graph_id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class GraphLabel:
    """How a graph of the application is called in lists."""

    graph_id: str
    name: str
    description: str | None = None


def system_id(graph_id: str) -> UUID:
    """The id of the assistant that each graph of an application has."""
    return uuid5(SYSTEM_IDS, graph_id)


def changed(current: Assistant, change: AssistantChange) -> Assistant:
    """`current` after `change`; its version and times are the database's to set."""
    return replace(
        current,
        graph_id=current.graph_id if change.graph_id is None else change.graph_id,
        name=current.name if change.name is None else change.name,
        description=current.description if change.description is None else change.description,
        config=change.config or current.config,
        context=current.context if change.context is None else change.context,
        metadata={**current.metadata, **(change.metadata or {})},
    )
