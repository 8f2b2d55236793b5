"""Threads on the wire: bodies as clients send them, rows as clients read them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.utils.uuid import uuid7

from server.db.threads import Lifetime, NewThread, Order, Thread, ThreadFilter
from server.wire.assistants import stamp
from server.wire.ids import uuid_of
from state.errors import BadRequest, Malformed

_OBJECT = {"type": "object"}
_STATUS = {"type": "string", "enum": ["idle", "busy", "interrupted", "error"]}
_STRATEGY = {"type": "string", "enum": ["delete", "keep_latest"], "default": "delete"}
_UUID = {"type": "string", "format": "uuid"}
_TTL = {"type": "object", "properties": {"strategy": _STRATEGY, "ttl": {"type": "number"}}}

FIELDS = (
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config", "status", "values", "interrupts",
)  # fmt: skip
"""What `select` may name."""

EXTRACTED = ("config", "interrupts", "metadata", "values")
"""Where a path of `extract` may start."""

MAX_PRUNED = 1_000
"""Threads that one request may prune."""
MAX_MINUTES = 1_000_000_000
"""About 1,900 years: further than that, dates end."""

_SEND: Mapping[str, Any] = {
    "type": "object",
    "title": "Send",
    "properties": {
        "node": {"type": "string"},
        "input": {"type": ["object", "array", "number", "string", "boolean", "null"]},
    },
    "required": ["node", "input"],
}

_COMMAND: Mapping[str, Any] = {
    "type": "object",
    "title": "Command",
    "properties": {
        "update": {"type": ["object", "array", "null"]},
        "resume": {"type": ["object", "array", "number", "string", "boolean", "null"]},
        "goto": {
            "anyOf": [
                {"$ref": "#/components/schemas/Send"},
                {"type": "array", "items": {"$ref": "#/components/schemas/Send"}},
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "null"},
            ]
        },
    },
}

_SUPERSTEP_UPDATE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "values": {"anyOf": [{"type": "array", "items": _OBJECT}, _OBJECT, {"type": "null"}]},
        "command": {"anyOf": [{"$ref": "#/components/schemas/Command"}, {"type": "null"}]},
        "as_node": {"type": "string"},
    },
    "required": ["as_node"],
}

# Error texts name the place in the schema, so references stay references.
_COMPONENTS = {"schemas": {"Send": _SEND, "Command": _COMMAND, "ThreadSuperstepUpdate": _SUPERSTEP_UPDATE}}

CREATE: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadCreate",
    "examples": [{"metadata": {"user": "ana"}, "ttl": {"strategy": "delete", "ttl": 1440}}],
    "properties": {
        "thread_id": _UUID,
        "metadata": _OBJECT,
        "if_exists": {"type": "string", "enum": ["raise", "do_nothing"], "default": "raise"},
        "ttl": _TTL,
        "supersteps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "updates": {"type": "array", "items": {"$ref": "#/components/schemas/ThreadSuperstepUpdate"}}
                },
                "required": ["updates"],
            },
        },
    },
    "components": _COMPONENTS,
}

PATCH: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadPatch",
    "examples": [{"metadata": {"topic": "arithmetic"}}],
    "properties": {"metadata": _OBJECT, "ttl": _TTL},
}

SEARCH: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadSearchRequest",
    "examples": [{"metadata": {"user": "ana"}, "status": "idle", "limit": 10}],
    "properties": {
        "ids": {"type": "array", "items": _UUID},
        "metadata": _OBJECT,
        "values": _OBJECT,
        "status": _STATUS,
        "limit": {"type": "integer", "default": 10, "minimum": 1, "maximum": 1000},
        "offset": {"type": "integer", "default": 0, "minimum": 0},
        "sort_by": {
            "type": "string",
            "enum": ["thread_id", "status", "created_at", "updated_at", "state_updated_at"],
        },
        "sort_order": {"type": "string", "enum": ["asc", "desc"]},
        "select": {"type": "array", "items": {"type": "string", "enum": list(FIELDS)}},
        "extract": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 10},
    },
}

COUNT: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadCountRequest",
    "examples": [{"status": "idle"}],
    "properties": {"metadata": _OBJECT, "values": _OBJECT, "status": _STATUS},
}

PRUNE: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadPruneRequest",
    "examples": [{"thread_ids": ["018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f"], "strategy": "keep_latest", "dry_run": True}],
    "properties": {
        "thread_ids": {"type": "array", "items": _UUID},
        "strategy": _STRATEGY,
        "dry_run": {"type": "boolean", "default": False},
    },
    "required": ["thread_ids"],
}


def new_thread(body: Mapping[str, Any]) -> NewThread:
    """Raises BadRequest: an id that is none, a lifetime that is none."""
    given = body.get("thread_id")
    thread_id = uuid7() if given is None else uuid_of("thread", given)
    return NewThread(UUID(int=thread_id.int), body.get("metadata", {}), lifetime_of(body))


def lifetime_of(body: Mapping[str, Any]) -> Lifetime | None:
    """What `ttl` asks for; None where it names no minutes. Raises BadRequest."""
    ttl = body.get("ttl", {})
    minutes = ttl.get("ttl")
    if minutes is None:
        return None
    if not 0 < minutes <= MAX_MINUTES:
        raise BadRequest(f"ttl is {minutes} minutes; it must be more than 0 and at most {MAX_MINUTES}")
    return Lifetime(ttl.get("strategy", "delete"), float(minutes))


def filter_of(body: Mapping[str, Any]) -> ThreadFilter:
    """Raises Malformed: an id that is none."""
    return ThreadFilter(
        metadata=body.get("metadata", {}),
        values=body.get("values", {}),
        status=body.get("status"),
        ids=[_listed_id(text) for text in body.get("ids", ())],
    )


def count_filter_of(body: Mapping[str, Any]) -> ThreadFilter:
    """What a count goes by: it takes no ids."""
    return filter_of({name: value for name, value in body.items() if name != "ids"})


def pruned_ids(body: Mapping[str, Any]) -> list[UUID]:
    """Raises BadRequest: an id that is none, more than one request may name."""
    listed = body["thread_ids"]
    if len(listed) > MAX_PRUNED:
        raise BadRequest(f"{len(listed)} threads are named; one request may name {MAX_PRUNED}")
    return [uuid_of("thread", text) for text in listed]


def _listed_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Malformed(f"Invalid thread ID {text}") from None


def order_of(body: Mapping[str, Any]) -> Order:
    """In what order threads are asked for. An order without a key is passed over, as the reference server does."""
    select = body.get("select", ())
    roots = {_root(path) for path in body.get("extract", {}).values()}
    with_values = not select or "values" in select or "values" in roots
    if "sort_by" not in body:
        return Order(with_values=with_values)
    return Order(body["sort_by"], body.get("sort_order", "desc"), with_values)


def check_extract(extract: Mapping[str, str]) -> None:
    """Raises BadRequest: a name that is none, a path that starts elsewhere."""
    for name, path in extract.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise BadRequest(f"Extract key '{name}' must be a valid identifier (letters, digits, underscores)")
        if not path:
            raise BadRequest(f"Extract path for '{name}' must be a non-empty string")
        if _root(path) not in EXTRACTED:
            raise BadRequest(f"Extract path '{path}' must start with one of: {', '.join(EXTRACTED)}")


def _root(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def extracted(thread: Mapping[str, Any], path: str) -> Any:
    """What `path` leads to, such as `values.messages[-1].content`; None where it leads nowhere."""
    value: Any = thread
    for part in filter(None, path.split(".")):
        match = re.fullmatch(r"([^\[\]]*)((?:\[-?\d{1,9}\])*)", part)
        if match is None:
            return None
        name, indices = match.groups()
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
        for index in re.findall(r"-?\d+", indices):
            value = _item(value, int(index))
    return value


def _item(value: Any, index: int) -> Any:
    if not isinstance(value, list) or not -len(value) <= index < len(value):
        return None
    return value[index]


def thread_view(thread: Thread) -> dict[str, Any]:
    """A thread as clients read it; what its state is known by is there once it has one."""
    told = {
        "thread_id": str(thread.thread_id),
        "created_at": stamp(thread.created_at),
        "updated_at": stamp(thread.updated_at),
        "state_updated_at": stamp(thread.state_updated_at),
        "metadata": thread.metadata,
        "status": thread.status,
        "config": thread.config,
        "values": thread.values,
    }
    if thread.error is not None or thread.state_updated_at > thread.created_at:
        told["error"] = thread.error
    if thread.state_updated_at > thread.created_at:
        told["interrupts"] = thread.interrupts
    return told


def copied_view(thread: Thread) -> dict[str, Any]:
    """The answer to a copy, which says nothing of values."""
    return {name: value for name, value in thread_view(thread).items() if name != "values"}


def listed_view(thread: Thread, select: Sequence[str], extract: Mapping[str, str]) -> dict[str, Any]:
    """A thread in a list: the fields of `select`, in the usual order, and what `extract` asks for."""
    told = thread_view(thread)
    chosen = {name: value for name, value in told.items() if not select or name in select}
    if not extract:
        return chosen
    return {**chosen, "extracted": {name: extracted(told, path) for name, path in extract.items()}}


def ttl_view(thread: Thread) -> dict[str, Any]:
    """`?include=ttl`: how long the thread lives, where it was given a time."""
    if thread.lifetime is None or thread.expires_at is None:
        return {}
    return {
        "ttl": {
            "strategy": thread.lifetime.strategy,
            "ttl_minutes": thread.lifetime.minutes,
            "expires_at": stamp(thread.expires_at),
        }
    }
