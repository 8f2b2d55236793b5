"""States of threads."""

from __future__ import annotations

from server.wire.shapes.building import (
    A_MOMENT,
    AN_ID,
    MOMENT,
    OBJECT,
    TEXT,
    TEXTS,
    Schema,
    anything,
    listed,
    maybe,
    ref,
    selected,
    shape,
)

_CHECKPOINT = shape(
    "Where a state is kept.",
    {"checkpoint_id": TEXT, "thread_id": TEXT, "checkpoint_ns": TEXT, "checkpoint_map": maybe(OBJECT)},
    optional=["checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map"],
)
_TASK = shape(
    "A step that is to be done, or was cut.",
    {
        "id": TEXT,
        "name": {**TEXT, "description": "of its node"},
        "path": {"type": "array"},
        "error": anything("why it failed; null"),
        "interrupts": listed("Interrupt"),
        "checkpoint": maybe(ref("Checkpoint")),
        "state": maybe(ref("ThreadState")),
        "result": anything("what it gave; null"),
    },
)
_STATE = shape(
    "A state: the values, and what comes next.",
    {
        "values": anything("by channel; a graph may have one value alone"),
        "next": {**TEXTS, "description": "nodes"},
        "tasks": listed("Task"),
        "metadata": maybe(OBJECT),
        "created_at": maybe(MOMENT),
        "checkpoint": maybe(ref("Checkpoint")),
        "parent_checkpoint": maybe(ref("Checkpoint")),
        "interrupts": listed("Interrupt"),
        "checkpoint_id": maybe(TEXT),
        "parent_checkpoint_id": maybe(TEXT),
    },
    example={
        "values": {"messages": []},
        "next": [],
        "tasks": [],
        "metadata": {"source": "loop", "step": 3},
        "created_at": A_MOMENT,
        "checkpoint": {"checkpoint_id": AN_ID, "thread_id": AN_ID, "checkpoint_ns": ""},
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": AN_ID,
        "parent_checkpoint_id": None,
    },
)

SHAPES: dict[str, Schema] = {
    "Checkpoint": _CHECKPOINT,
    "Task": _TASK,
    "ThreadState": _STATE,
    "ThreadStateFound": selected(_STATE, "A state, or of it what `select` names."),
    "ThreadStateUpdated": shape(
        "Where the new state is.",
        {"checkpoint": ref("Checkpoint"), "configurable": ref("Checkpoint"), "checkpoint_id": TEXT},
    ),
}
