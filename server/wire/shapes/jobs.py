"""Jobs of crews and executions of flows."""

from __future__ import annotations

from server.db.jobs import JOB_STATUSES
from server.wire.shapes.building import (
    COUNT,
    FLAG,
    ID,
    MOMENT,
    NUMBER,
    OBJECT,
    TEXT,
    TEXTS,
    Schema,
    anything,
    by_key,
    listed,
    maybe,
    shape,
    word,
)

_STATUS = word(*JOB_STATUSES)
_COMMON: dict[str, Schema] = {
    "run_id": {**ID, "description": "of its last run"},
    "thread_id": ID,
    "assistant_id": maybe(ID),
    "created_at": MOMENT,
    "started_at": maybe(MOMENT),
    "completed_at": maybe(MOMENT),
    "execution_time": {**maybe(NUMBER), "description": "seconds, up to now where it is at work"},
    "attempt": COUNT,
    "metadata": OBJECT,
}
_AGENTS: Schema = {**listed("AgentExecution"), "description": "each that has had its turn"}
_INTERRUPTS: Schema = {**listed("Interrupt"), "description": "what it asks, while it is INTERRUPTED"}
_JOB: dict[str, Schema] = {
    "job_id": ID,
    "crew_id": maybe(TEXT),
    "status": _STATUS,
    "query": TEXT,
    **_COMMON,
    "error": maybe(TEXT),
}
_EXECUTION: dict[str, Schema] = {
    "execution_id": ID,
    "kind": TEXT,
    "flow_id": maybe(TEXT),
    "crew_id": maybe(TEXT),
    "status": _STATUS,
    "query": TEXT,
    **_COMMON,
    "error_message": maybe(TEXT),
}

SHAPES: dict[str, Schema] = {
    "JobAccepted": shape(
        "A job that is in the queue.",
        {
            "job_id": ID,
            "crew_id": maybe(TEXT),
            "status": word("PENDING"),
            "thread_id": ID,
            "created_at": MOMENT,
            "message": TEXT,
        },
    ),
    "JobListed": shape("A job in a list.", _JOB),
    "Job": shape(
        "A job of a crew.",
        {
            **_JOB,
            "result": {**maybe(OBJECT), "description": "with its end: `output`, `results`, `agents`, …"},
            "agents": _AGENTS,
            "interrupts": _INTERRUPTS,
        },
    ),
    "JobsCleaned": shape(
        "What was deleted, or would be.",
        {"deleted": COUNT, "matched": COUNT, "dry_run": FLAG, "more": FLAG, "job_ids": listed(ID)},
    ),
    "ExecutionListed": shape("An execution in a list.", _EXECUTION),
    "Execution": shape(
        "An execution of a flow or a crew.",
        {
            **_EXECUTION,
            "input_data": anything("what its first step was given"),
            "output_data": maybe(
                shape("Its result.", {"output": TEXT, "results": TEXTS, "agent_ids": TEXTS}),
            ),
            "node_results": by_key(anything("what the step gave")),
            "agents": _AGENTS,
            "execution_log": listed("LogEntry"),
            "interrupts": _INTERRUPTS,
        },
    ),
}

STREAM = """id: 018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f.1
event: attempt
data: {"run_id":"018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f","attempt":1}

id: 018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f.4
event: token
data: {"step":"writer","message_id":"m1","text":"Forty-two."}

id: 018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f.end
event: result
data: {"status":"COMPLETED","result":{"output":"Forty-two."}}

"""
"""What a job says; the last event is `result`, `interrupt` or `error`, with the job as it then stands."""
