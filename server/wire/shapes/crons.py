"""Crons."""

from __future__ import annotations

from server.wire.shapes.building import (
    A_MOMENT,
    AN_ID,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    TEXT,
    Schema,
    maybe,
    selected,
    shape,
    word,
)

_CRON = shape(
    "Runs on a schedule.",
    {
        "cron_id": ID,
        "assistant_id": ID,
        "thread_id": maybe(ID),
        "user_id": maybe(TEXT),
        "end_time": maybe({**TEXT, "description": "in the words in which it was said"}),
        "schedule": TEXT,
        "timezone": maybe(TEXT),
        "payload": {**OBJECT, "description": "what each run is asked"},
        "next_run_date": maybe(MOMENT),
        "metadata": OBJECT,
        "on_run_completed": maybe(word("delete", "keep")),
        "enabled": FLAG,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
    example={
        "cron_id": AN_ID,
        "assistant_id": AN_ID,
        "thread_id": None,
        "user_id": None,
        "end_time": None,
        "schedule": "0 8 * * 1-5",
        "timezone": "Europe/Madrid",
        "payload": {"assistant_id": AN_ID, "schedule": "0 8 * * 1-5", "input": {"messages": []}},
        "next_run_date": A_MOMENT,
        "metadata": {},
        "on_run_completed": "delete",
        "enabled": True,
        "created_at": A_MOMENT,
        "updated_at": A_MOMENT,
    },
)

SHAPES: dict[str, Schema] = {
    "Cron": _CRON,
    "CronFound": selected(_CRON, "A cron, or of it what `select` names."),
}
