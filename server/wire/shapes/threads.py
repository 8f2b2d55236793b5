"""Threads and what is told of them."""

from __future__ import annotations

from server.wire.shapes.building import (
    A_MOMENT,
    AN_ID,
    BYTES,
    COUNT,
    ID,
    MOMENT,
    NUMBER,
    OBJECT,
    TEXT,
    Schema,
    anything,
    by_key,
    listed,
    selected,
    shape,
    word,
)

_FIELDS: dict[str, Schema] = {
    "thread_id": ID,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "state_updated_at": MOMENT,
    "metadata": OBJECT,
    "status": word("idle", "busy", "interrupted", "error"),
    "config": OBJECT,
    "values": anything("the values of its newest state; null before its first run"),
    "error": anything("why its last run failed"),
    "interrupts": by_key(listed("Interrupt")),
}
_TTL = shape(
    "How long it lives.",
    {"strategy": word("delete", "keep_latest"), "ttl_minutes": NUMBER, "expires_at": MOMENT},
)
_THREAD = shape(
    "What states and runs are kept under.",
    {**_FIELDS, "ttl": _TTL},
    optional=["error", "interrupts", "ttl"],
    example={
        "thread_id": AN_ID,
        "created_at": A_MOMENT,
        "updated_at": A_MOMENT,
        "state_updated_at": A_MOMENT,
        "metadata": {"user": "ana"},
        "status": "idle",
        "config": {},
        "values": None,
    },
)
_SIZE = {"count": COUNT, "bytes": BYTES}

SHAPES: dict[str, Schema] = {
    "Interrupt": shape(
        "What a run asks a human.",
        {"id": TEXT, "value": anything("the question"), "response_schema": anything("what the answer must be like")},
        optional=["response_schema"],
    ),
    "Thread": _THREAD,
    "ThreadCopy": shape(
        "A thread that has the history of another.",
        {name: schema for name, schema in _FIELDS.items() if name != "values"},
        optional=["error", "interrupts"],
    ),
    "ThreadFound": selected(
        {**_THREAD, "properties": {**_FIELDS, "extracted": {**OBJECT, "description": "what `extract` asks for"}}},
        "A thread, or of it what `select` names.",
    ),
    "ThreadsPruned": shape("How many were, or would be.", {"pruned_count": COUNT}, example={"pruned_count": 2}),
    "ThreadStorage": shape(
        "What a thread's history takes.",
        {
            "thread_id": ID,
            "total_bytes": BYTES,
            "checkpoints": shape("Checkpoints.", _SIZE),
            "channel_values": shape(
                "Values.",
                {**_SIZE, "by_channel": by_key(shape("A channel.", {"versions": COUNT, "bytes": BYTES}))},
            ),
            "pending_writes": shape("What was written between checkpoints.", _SIZE),
        },
    ),
}
