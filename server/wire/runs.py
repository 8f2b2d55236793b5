"""Runs on the wire: the bodies that ask for them as JSON Schema, in the structure of the reference, so that its errors
read the same; and how a run is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from server.run_queue.shapes import Run
from server.wire.values import encode

Schema = Mapping[str, Any]

STREAM_MODES = ("values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom")
RUN_FIELDS = (
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
    "updated_at",
    "langsmith_session_name",
)
"""What `select` may name, in the order in which runs are shown."""

_STRINGS = {"type": "array", "items": {"type": "string"}}
_ANY_JSON = {
    "anyOf": [{"type": name} for name in ("object", "array", "string", "number", "boolean", "null")],
    "description": "What the graph is given.",
}
_NODES = {"anyOf": [{"type": "string", "enum": ["*"]}, _STRINGS]}


def _choice(*names: str, default: str | None = None, about: str) -> Schema:
    chosen: dict[str, Any] = {"type": "string", "enum": [*names], "description": about}
    return chosen if default is None else {**chosen, "default": default}


def _flag(about: str) -> Schema:
    return {"type": "boolean", "default": False, "description": about}


_SEND = {
    "type": "object",
    "properties": {
        "node": {"type": "string"},
        "input": {"type": ["object", "array", "number", "string", "boolean", "null"]},
    },
    "required": ["node", "input"],
}
_COMMAND = {
    "type": "object",
    "properties": {
        "update": {"type": ["object", "array", "null"]},
        "resume": {"type": ["object", "array", "number", "string", "boolean", "null"]},
        "goto": {
            "anyOf": [
                {"$ref": "#/components/schemas/Send"},
                {"type": "array", "items": {"$ref": "#/components/schemas/Send"}},
                {"type": "string"},
                _STRINGS,
                {"type": "null"},
            ]
        },
    },
}
_CHECKPOINT = {
    "type": "object",
    "properties": {
        "thread_id": {"type": "string"},
        "checkpoint_ns": {"type": "string"},
        "checkpoint_id": {"type": "string"},
        "checkpoint_map": {"type": "object"},
    },
}
_CONFIG = {
    "type": "object",
    "properties": {
        "tags": _STRINGS,
        "recursion_limit": {"type": "integer"},
        "configurable": {"type": "object"},
    },
}
_COMMON: dict[str, Any] = {
    "assistant_id": {
        "anyOf": [{"type": "string", "format": "uuid"}, {"type": "string"}],
        "description": "The id of an assistant, or the name of a graph.",
    },
    "input": _ANY_JSON,
    "command": {"anyOf": [{"$ref": "#/components/schemas/Command"}, {"type": "null"}]},
    "metadata": {"type": "object"},
    "config": _CONFIG,
    "context": {"type": "object"},
    "webhook": {"type": "string", "maxLength": 65536, "minLength": 1, "format": "uri-reference"},
    "stream_mode": {
        "anyOf": [
            {"type": "array", "items": {"type": "string", "enum": [*STREAM_MODES]}},
            {"type": "string", "enum": [*STREAM_MODES]},
        ],
        "default": ["values"],
    },
    "feedback_keys": _STRINGS,
    "stream_subgraphs": _flag("Whether subgraphs are heard too."),
    "stream_resumable": _flag("Whether events have ids and can be heard again."),
    "after_seconds": {"type": "number", "description": "Seconds to wait before the run may start."},
    "checkpoint_during": {**_flag("Use `durability`."), "deprecated": True},
    "durability": _choice("sync", "async", "exit", default="async", about="When checkpoints are committed."),
}
STATEFUL: Schema = {
    "type": "object",
    "properties": {
        **_COMMON,
        "checkpoint": {"type": "object", "$ref": "#/components/schemas/CheckpointConfig"},
        "interrupt_before": _NODES,
        "interrupt_after": _NODES,
        "multitask_strategy": _choice(
            "reject",
            "rollback",
            "interrupt",
            "enqueue",
            default="enqueue",
            about="What of runs in flight on the thread.",
        ),
        "if_not_exists": _choice("create", "reject", default="reject", about="What where the thread is missing."),
    },
    "required": ["assistant_id"],
}
STATELESS: Schema = {
    "type": "object",
    "properties": {
        **_COMMON,
        "on_completion": _choice("delete", "keep", default="delete", about="What becomes of the run's own thread."),
    },
    "required": ["assistant_id"],
}
COMPONENTS: Schema = {
    "schemas": {
        "Send": _SEND,
        "Command": _COMMAND,
        "CheckpointConfig": _CHECKPOINT,
        "RunCreateStateful": STATEFUL,
        "RunCreateStateless": STATELESS,
    }
}
_ON_DISCONNECT = {
    "type": "object",
    "properties": {
        "on_disconnect": _choice(
            "cancel", "continue", default="continue", about="What of the run when its client goes."
        )
    },
}
_ASKED = {"assistant_id": "orchestrator", "input": {"messages": [{"role": "user", "content": "What is 6*7?"}]}}
_STREAMED = {**_ASKED, "stream_mode": ["updates", "messages-tuple"], "stream_resumable": True}
CREATE: Schema = {**STATEFUL, "title": "RunCreateStateful", "components": COMPONENTS, "examples": [_ASKED]}
CREATE_STATELESS: Schema = {**STATELESS, "title": "RunCreateStateless", "components": COMPONENTS, "examples": [_ASKED]}
STREAM: Schema = {
    "title": "RunCreateStreamingStateful",
    "examples": [_STREAMED],
    "allOf": [{"$ref": "#/components/schemas/RunCreateStateful"}, _ON_DISCONNECT],
    "components": COMPONENTS,
}
STREAM_STATELESS: Schema = {
    "title": "RunCreateStreamingStateless",
    "examples": [_STREAMED],
    "allOf": [{"$ref": "#/components/schemas/RunCreateStateless"}, _ON_DISCONNECT],
    "components": COMPONENTS,
}
BATCH: Schema = {
    "type": "array",
    "title": "RunBatchCreate",
    "examples": [[_ASKED, _ASKED]],
    "items": {"$ref": "#/components/schemas/RunCreateStateless"},
    "minItems": 1,
    "components": COMPONENTS,
}
CANCEL: Schema = {
    "type": "object",
    "title": "RunsCancel",
    "examples": [{"status": "pending"}],
    "properties": {
        "status": {"type": "string", "enum": ["pending", "running", "all"]},
        "thread_id": {"type": "string", "format": "uuid"},
        "run_ids": {"type": "array", "items": {"type": "string", "format": "uuid"}},
    },
    "oneOf": [{"required": ["status"]}, {"required": ["thread_id", "run_ids"]}],
}


def shown(schema: Schema) -> dict[str, Any]:
    """`openapi_extra` of a route that takes this body: without references, which point into the whole document."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema)}}}}


def _inlined(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inlined(COMPONENTS["schemas"][reference.rpartition("/")[2]])
        return {key: _inlined(value) for key, value in schema.items() if key != "components"}
    return [_inlined(item) for item in schema] if isinstance(schema, list) else schema


def run_json(run: Run) -> dict[str, Any]:
    """A run as clients see it. What the server knows by itself is not stored in `kwargs` and is added here."""
    kwargs = dict(run.kwargs)
    named = kwargs.pop("checkpoint", None) or {}
    kwargs.pop("heard", None)
    config = dict(kwargs.get("config") or {})
    ids = {"run_id": str(run.run_id), "thread_id": str(run.thread_id)}
    whose = {"graph_id": run.graph_id, "assistant_id": str(run.assistant_id)}
    configurable = {**named, **config.get("configurable", {}), **ids, **whose}
    configurable.setdefault("user_id", "")
    kwargs["config"] = {**config, "configurable": configurable, "metadata": run.metadata}
    wait = timedelta(seconds=configurable.get("__after_seconds__") or 0)
    return {
        **ids,
        "assistant_id": whose["assistant_id"],
        "metadata": run.metadata,
        "status": run.status,
        "kwargs": kwargs,
        "multitask_strategy": run.multitask_strategy,
        "created_at": _time(run.created_at + wait),
        "updated_at": _time(run.updated_at),
        "langsmith_session_name": None,
    }


def accepted_json(run: Run) -> dict[str, Any]:
    """A run as the answer to its making shows it: pending, also where this process has begun it already."""
    return {**run_json(run), "status": "pending"}


def runs_json(runs: Sequence[Run], fields: Sequence[str] | None = None) -> bytes:
    """A list of runs, each with all its fields or with some of them."""
    found = [run_json(run) for run in runs]
    return encode([{name: run[name] for name in fields} for run in found] if fields else found)


def _time(moment: datetime) -> str:
    """With microseconds, also where they are none."""
    return moment.isoformat(timespec="microseconds")
