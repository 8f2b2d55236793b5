"""States of threads on the wire, and the checkpoints that requests name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.types import Interrupt, PregelTask, StateSnapshot, StateUpdate

from server.db.json_values import storable_text
from server.streaming.inputs import graph_command
from server.wire.values import plain
from state.errors import BadRequest

CHECKPOINT_KEYS = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")
"""What a client is told of a checkpoint's configuration, in this order; the rest is ours."""

FIELDS = (
    "values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts",
    "checkpoint_id", "parent_checkpoint_id",
)  # fmt: skip
"""What `select` may name."""

NAMED_KEYS = ("checkpoint_ns", "checkpoint_id", "checkpoint_map")
"""What a client may say of a checkpoint. Never its thread: that one comes from the URL."""


_OBJECT = {"type": "object"}
_CHECKPOINT: Mapping[str, Any] = {
    "type": "object",
    "title": "CheckpointConfig",
    "properties": {
        "thread_id": {"type": "string"},
        "checkpoint_ns": {"type": "string"},
        "checkpoint_id": {"type": "string"},
        "checkpoint_map": _OBJECT,
    },
}
_REFERENCE = {"$ref": "#/components/schemas/CheckpointConfig"}
# Error texts name the place in the schema, so references stay references.
_COMPONENTS = {"schemas": {"CheckpointConfig": _CHECKPOINT}}
_SELECT = {"type": "array", "items": {"type": "string"}}

READ: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadStateCheckpointRequest",
    "examples": [{"checkpoint": {"checkpoint_id": "018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f", "checkpoint_ns": ""}}],
    "properties": {"checkpoint": _REFERENCE, "subgraphs": {"type": "boolean"}, "select": _SELECT},
    "required": ["checkpoint"],
    "components": _COMPONENTS,
}

UPDATE: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadStateUpdate",
    "examples": [{"values": {"messages": [{"role": "user", "content": "What is 6*7?"}]}}],
    "properties": {
        "values": {"anyOf": [{"items": {}, "type": "array"}, _OBJECT, {"type": "null"}]},
        "checkpoint": _REFERENCE,
        "as_node": {"type": "string"},
    },
    "components": _COMPONENTS,
}

HISTORY: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadStateSearch",
    "examples": [{"limit": 10}],
    "properties": {
        "limit": {"type": "integer", "default": 1, "maximum": 1000, "minimum": 1},
        "before": _REFERENCE,
        "metadata": _OBJECT,
        "checkpoint": _REFERENCE,
        "select": _SELECT,
    },
    "components": _COMPONENTS,
}

MAX_STATES = 1_000
"""States of a history that one request may read."""


def thread_state(snapshot: StateSnapshot, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A state as clients read it. Its values are the graph's own objects: `wire.values.encode` makes JSON of them.

    `asked`: the configuration by which one checkpoint was asked for; it is told in the words of the request.
    """
    told = asked if asked and "checkpoint_id" in asked else snapshot.config["configurable"]
    checkpoint = checkpoint_of({"configurable": dict(told)}) if "checkpoint_id" in told else None
    parent = checkpoint_of(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "tasks": [thread_task(task) for task in snapshot.tasks],
        "metadata": _metadata(snapshot),
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [interrupt_of(found) for found in snapshot.interrupts],
        "checkpoint_id": checkpoint["checkpoint_id"] if checkpoint else None,
        "parent_checkpoint_id": parent["checkpoint_id"] if parent else None,
    }


def empty_state() -> dict[str, Any]:
    """Of a thread that nothing has run on."""
    nothing = StateSnapshot({}, (), {"configurable": {}}, None, None, None, (), ())
    return thread_state(nothing)


def checkpoint_of(config: RunnableConfig | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The checkpoint that a graph's configuration names, as clients are told it; None without one."""
    if config is None:
        return None
    told = config.get("configurable", {})
    return {key: told[key] for key in CHECKPOINT_KEYS if key in told}


def interrupt_of(interrupt: Interrupt) -> dict[str, Any]:
    """Its schema is told only where the graph gave one."""
    told = {"id": interrupt.id, "value": interrupt.value}
    return told if interrupt.response_schema is None else {**told, "response_schema": interrupt.response_schema}


def thread_task(task: PregelTask) -> dict[str, Any]:
    """A task of a state: a subgraph's is told by its state where that was asked for, else by its checkpoint."""
    inner = task.state
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": repr(task.error) if isinstance(task.error, Exception) else task.error,
        "interrupts": [interrupt_of(found) for found in task.interrupts],
        "checkpoint": checkpoint_of(inner) if isinstance(inner, dict) else None,
        "state": thread_state(inner) if isinstance(inner, StateSnapshot) else None,
        "result": task.result,
    }


def interrupts_by_task(snapshot: StateSnapshot) -> dict[str, list[dict[str, Any]]]:
    """What each task of a thread waits for, as threads are listed with it."""
    return {task.id: [interrupt_of(found) for found in task.interrupts] for task in snapshot.tasks if task.interrupts}


def asked_checkpoint(thread_id: UUID, checkpoint: Mapping[str, Any] | None) -> dict[str, Any]:
    """`configurable` for a checkpoint of this thread that a request names; other keys are left out."""
    named = {key: checkpoint[key] for key in NAMED_KEYS if key in checkpoint} if checkpoint else {}
    if "checkpoint_id" in named:
        # Out of a URL it may hold what Postgres takes in no text.
        named["checkpoint_id"] = storable_text(named["checkpoint_id"])
    return {**named, "thread_id": str(thread_id)}


def _metadata(snapshot: StateSnapshot) -> dict[str, Any] | None:
    if snapshot.metadata is None:
        return None
    # LangGraph's savers leave the thread out of what they keep.
    return {**snapshot.metadata, "thread_id": snapshot.config["configurable"]["thread_id"]}


def state_update(body: Mapping[str, Any]) -> StateUpdate:
    """One update as LangGraph takes it."""
    return StateUpdate(body.get("values"), body.get("as_node"))


def updated_checkpoint(body: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint that an update starts from. Raises BadRequest: an id that is no text."""
    named = dict(body.get("checkpoint", {}))
    checkpoint_id = body.get("checkpoint_id")
    if checkpoint_id is None:
        return named
    if not isinstance(checkpoint_id, str):
        raise BadRequest("checkpoint_id must be a string")
    return {**named, "checkpoint_id": checkpoint_id}


def supersteps_of(steps: Sequence[Mapping[str, Any]]) -> list[list[StateUpdate]]:
    """The updates that a thread starts with. Raises Malformed: a command that is none."""
    return [[_superstep_update(update) for update in step["updates"]] for step in steps]


def _superstep_update(update: Mapping[str, Any]) -> StateUpdate:
    command = update.get("command")
    values = update.get("values") if command is None else graph_command(command)
    return StateUpdate(cast("Any", values), update["as_node"])


def updated_view(config: RunnableConfig) -> dict[str, Any]:
    """The answer to an update: where its new checkpoint is."""
    keys = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map")
    told = {key: config["configurable"][key] for key in keys if key in config["configurable"]}
    return {"checkpoint": told, "configurable": told, "checkpoint_id": told["checkpoint_id"]}


def before_of(body: Mapping[str, Any]) -> str | None:
    """The checkpoint that a history stays before: a checkpoint, or the configuration that holds one."""
    before = body.get("before", {})
    inner = before.get("configurable")
    named = {**before, **inner} if isinstance(inner, Mapping) else before
    return str(named["checkpoint_id"]) if named.get("checkpoint_id") else None


def limit_of(text: str) -> int:
    """How many states a URL asks for. Raises BadRequest in the reference server's words."""
    try:
        return min(int(text), MAX_STATES)
    except ValueError:
        raise BadRequest(f"Invalid limit {text}") from None


def check_select(select: Sequence[str]) -> None:
    """Raises BadRequest: a field that states do not have."""
    for field in select:
        if field not in FIELDS and not field.startswith("values."):
            raise BadRequest(f"Invalid select field '{field}': must be values.<key> or one of {', '.join(FIELDS)}")


def selected(state: Mapping[str, Any], select: Sequence[str]) -> dict[str, Any]:
    """The fields that `select` names, all without one; `values.<key>` is one key of the values."""
    if not select:
        return dict(state)
    chosen = {name: state[name] for name in FIELDS if name in select}
    keys = [field.removeprefix("values.") for field in select if field.startswith("values.")]
    if keys and "values" not in chosen:
        values = plain(state["values"])
        chosen["values"] = {key: values[key] for key in keys if isinstance(values, Mapping) and key in values}
    return chosen
