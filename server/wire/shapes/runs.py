"""Runs."""

from __future__ import annotations

from server.wire.shapes.building import A_MOMENT, AN_ID, ID, MOMENT, OBJECT, TEXT, Schema, maybe, selected, shape, word

_RUN = shape(
    "A run of a graph, in the queue, at work or ended.",
    {
        "run_id": ID,
        "thread_id": ID,
        "assistant_id": {**TEXT, "description": "None: its assistant is gone"},
        "metadata": OBJECT,
        "status": word("pending", "running", "success", "error", "interrupted", "timeout"),
        "kwargs": {**OBJECT, "description": "what it was asked"},
        "multitask_strategy": word("reject", "enqueue", "interrupt", "rollback"),
        "created_at": {**MOMENT, "description": "with `after_seconds`, when it may begin"},
        "updated_at": MOMENT,
        "langsmith_session_name": maybe(TEXT),
    },
    example={
        "run_id": AN_ID,
        "thread_id": AN_ID,
        "assistant_id": AN_ID,
        "metadata": {},
        "status": "pending",
        "kwargs": {"input": {"messages": [{"role": "user", "content": "What is 6*7?"}]}},
        "multitask_strategy": "enqueue",
        "created_at": A_MOMENT,
        "updated_at": A_MOMENT,
        "langsmith_session_name": None,
    },
)

SHAPES: dict[str, Schema] = {
    "Run": _RUN,
    "RunFound": selected(_RUN, "A run, or of it what `select` names."),
}

STREAM = """id: 1
event: metadata
data: {"run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f","attempt":1}

id: 2
event: values
data: {"messages":[{"type":"human","content":"What is 6*7?"}]}

: heartbeat

id: 3
event: values
data: {"messages":[{"type":"human","content":"What is 6*7?"},{"type":"ai","content":"42"}]}

"""
"""What a run says in stream mode `values`; only a resumable one's events have ids."""
LIFECYCLE = """id: 1767225600000000-1
event: metadata
data: {"run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f","attempt":1}

event: metadata
data: {"status":"run_done","run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f"}

"""
"""What a thread says in stream mode `lifecycle`."""
LAB_STREAM = """id: 1
event: metadata
data: {"run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f","attempt":1}

id: 3
event: node_start
data: {"node":"analyze","task_id":"6f1d"}

id: 7
event: token
data: {"node":"execute","message_id":"m1","text":"42"}

id: 9
event: result
data: {"output":"42","score":1.0,"attempts":1}

"""
"""What a run of the lab says; the last event is `result`, `interrupt` or `error`."""
