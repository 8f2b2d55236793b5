"""Assistants on the wire: bodies as clients send them, rows as clients read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

import jsonschema_rs

from server.db.assistant_shapes import Assistant, AssistantChange, AssistantFilter, AssistantVersion, NewAssistant
from server.wire.body import held_against
from server.wire.ids import uuid_of
from state.errors import Malformed

_Asked = TypeVar("_Asked", NewAssistant, AssistantChange)

_OBJECT = {"type": "object"}
_TEXT = {"type": "string"}
_LIMIT = {"type": "integer", "default": 10, "minimum": 1, "maximum": 1000}
_OFFSET = {"type": "integer", "default": 0, "minimum": 0}

FIELDS = (
    "assistant_id", "graph_id", "name", "description", "config", "context", "created_at", "updated_at", "metadata",
    "version",
)  # fmt: skip
"""What `select` may name."""

CREATE: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantCreate",
    "examples": [
        {"graph_id": "orchestrator", "name": "Careful", "context": {"max_attempts": 2}, "metadata": {"team": "support"}}
    ],
    "properties": {
        "assistant_id": {"type": "string", "format": "uuid"},
        "graph_id": _TEXT,
        "config": _OBJECT,
        "context": _OBJECT,
        "metadata": _OBJECT,
        "if_exists": {"type": "string", "enum": ["raise", "do_nothing"], "default": "raise"},
        "name": _TEXT,
        "description": {"type": ["string", "null"]},
    },
    "required": ["graph_id"],
}

PATCH: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantPatch",
    "examples": [{"name": "More careful", "context": {"max_attempts": 3}}],
    "properties": {
        "graph_id": _TEXT,
        "config": _OBJECT,
        "context": _OBJECT,
        "metadata": _OBJECT,
        "name": _TEXT,
        "description": _TEXT,
    },
}

SEARCH: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantSearchRequest",
    "examples": [{"metadata": {"team": "support"}, "limit": 10, "sort_by": "updated_at"}],
    "properties": {
        "metadata": _OBJECT,
        "graph_id": _TEXT,
        "name": _TEXT,
        "limit": _LIMIT,
        "offset": _OFFSET,
        "sort_by": {"type": "string", "enum": ["assistant_id", "created_at", "updated_at", "name", "graph_id"]},
        "sort_order": {"type": "string", "enum": ["asc", "desc"]},
        "select": {"type": "array", "items": {"type": "string", "enum": list(FIELDS)}},
    },
}

COUNT: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantCountRequest",
    "examples": [{"graph_id": "orchestrator"}],
    "properties": {"metadata": _OBJECT, "graph_id": _TEXT, "name": _TEXT},
}

VERSIONS: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantVersionsSearchRequest",
    "examples": [{"limit": 10}],
    "properties": {"metadata": _OBJECT, "limit": _LIMIT, "offset": _OFFSET},
}

LATEST: Mapping[str, Any] = {
    "type": "object",
    "title": "AssistantVersionChange",
    "examples": [{"version": 1}],
    "properties": {"version": {"type": "integer"}},
}

CONFIG: Mapping[str, Any] = {
    "type": "object",
    "title": "Config",
    "properties": {
        "tags": {"type": "array", "items": _TEXT},
        "recursion_limit": {"type": "integer"},
        "configurable": _OBJECT,
    },
}


def described(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A route's `openapi_extra` that lists its body in /openapi.json."""
    return {"requestBody": {"content": {"application/json": {"schema": schema}}, "required": True}}


_config = jsonschema_rs.validator_for(dict(CONFIG))


def new_assistant(body: Mapping[str, Any]) -> NewAssistant:
    """What is asked for, its id drawn where it names none. Raises BadRequest."""
    assistant_id = uuid_of("assistant", body["assistant_id"]) if "assistant_id" in body else uuid4()
    return NewAssistant(
        assistant_id=assistant_id,
        graph_id=body["graph_id"],
        name=body.get("name") or "Untitled",
        description=body.get("description"),
        config=_checked(body.get("config")),
        context=body.get("context"),
        metadata=body.get("metadata"),
    )


def assistant_change(body: Mapping[str, Any]) -> AssistantChange:
    """What is to be changed. Raises BadRequest."""
    fields = ("graph_id", "name", "description", "context", "metadata")
    return AssistantChange(config=_checked(body.get("config")), **{name: body.get(name) for name in fields})


def assistant_filter(body: Mapping[str, Any]) -> AssistantFilter:
    """Which assistants a search or count means."""
    return AssistantFilter(body.get("metadata", {}), body.get("graph_id"), body.get("name"))


def mirrored(asked: _Asked) -> _Asked:
    """`config.configurable` and `context`, old and new word for one thing: whichever is given is both.

    Raises Malformed when both are.
    """
    configurable = (asked.config or {}).get("configurable")
    if configurable and asked.context:
        raise Malformed(
            "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in "
            "LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )
    if asked.context:
        return replace(asked, config={**(asked.config or {}), "configurable": asked.context})
    return replace(asked, context=configurable) if configurable else asked


def _checked(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if config is None else held_against(_config, config)


def assistant_json(assistant: Assistant, select: Sequence[str] = ()) -> dict[str, Any]:
    """All fields, or those selected, in one order whichever way they were asked for."""
    shown = {
        "assistant_id": str(assistant.assistant_id),
        "graph_id": assistant.graph_id,
        "config": assistant.config,
        "context": assistant.context,
        "metadata": assistant.metadata,
        "name": assistant.name,
        "created_at": stamp(assistant.created_at),
        "updated_at": stamp(assistant.updated_at),
        "version": assistant.version,
        "description": assistant.description,
    }
    return {name: value for name, value in shown.items() if not select or name in select}


def version_json(version: AssistantVersion) -> dict[str, Any]:
    """One version; it has no `updated_at`, since it never changes."""
    return {
        "assistant_id": str(version.assistant_id),
        "version": version.version,
        "graph_id": version.graph_id,
        "config": version.config,
        "context": version.context,
        "metadata": version.metadata,
        "created_at": stamp(version.created_at),
        "name": version.name,
        "description": version.description,
    }


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
