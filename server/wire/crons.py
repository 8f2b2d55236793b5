"""Crons on the wire: bodies in the structure of the reference server's OpenAPI, and how a cron is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from langchain_core.utils.uuid import uuid7

from server.db.crons import Cron, CronFilter
from server.run_queue.schedules import next_tick
from server.wire.assistants import stamp
from server.wire.ids import uuid_of
from state.errors import BadRequest

STREAM_MODES = ["values", "messages", "messages-tuple", "tasks", "checkpoints", "updates", "events", "debug", "custom"]
SORT_KEYS = ["cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "created_at", "updated_at"]
FIELDS = [
    "cron_id", "assistant_id", "thread_id", "on_run_completed", "end_time", "schedule", "timezone", "created_at",
    "updated_at", "user_id", "payload", "next_run_date", "metadata", "enabled",
]  # fmt: skip
"""What `select` may name."""

_OBJECT = {"type": "object"}
_TEXT = {"type": "string"}
_ID = {"type": "string", "format": "uuid"}
_MOMENT = {"type": "string", "format": "date-time"}
_NODES = {"anyOf": [{"type": "string", "enum": ["*"]}, {"type": "array", "items": _TEXT}]}
_RUN: Mapping[str, Any] = {
    "schedule": {"type": "string", "description": "Five fields of cron, six with seconds last, or a word as @daily."},
    "timezone": {"type": "string", "description": "An IANA name; UTC where none is given."},
    "end_time": {**_MOMENT, "description": "No run is started after it."},
    "input": {"anyOf": [{"type": "array", "items": _OBJECT}, _OBJECT]},
    "metadata": _OBJECT,
    "config": {
        "type": "object",
        "properties": {
            "tags": {"type": "array", "items": _TEXT},
            "recursion_limit": {"type": "integer"},
            "configurable": _OBJECT,
        },
    },
    "context": _OBJECT,
    "webhook": {"type": "string", "maxLength": 65536, "minLength": 1, "format": "uri-reference"},
    "interrupt_before": _NODES,
    "interrupt_after": _NODES,
    "enabled": {"type": "boolean", "default": True},
    "stream_mode": {
        "anyOf": [
            {"type": "array", "items": {"type": "string", "enum": STREAM_MODES}},
            {"type": "string", "enum": STREAM_MODES},
        ],
        "default": ["values"],
    },
    "stream_subgraphs": {"type": "boolean", "default": False},
    "stream_resumable": {"type": "boolean", "default": False},
    "durability": {"type": "string", "enum": ["sync", "async", "exit"], "default": "async"},
}
_ASSISTANT = {"anyOf": [_ID, _TEXT], "description": "The id of an assistant, or the name of a graph."}
_ON_RUN_COMPLETED = {"type": "string", "enum": ["delete", "keep"], "default": "delete"}
_STRATEGY = {"type": "string", "enum": ["reject", "rollback", "interrupt", "enqueue"], "default": "enqueue"}

CREATE: Mapping[str, Any] = {
    "type": "object",
    "title": "CronCreate",
    "examples": [
        {"assistant_id": "orchestrator", "schedule": "0 8 * * 1-5", "timezone": "Europe/Madrid", "enabled": False}
    ],
    "required": ["assistant_id", "schedule"],
    "properties": {**_RUN, "assistant_id": _ASSISTANT, "on_run_completed": _ON_RUN_COMPLETED},
}
CREATE_ON_THREAD: Mapping[str, Any] = {
    "type": "object",
    "title": "ThreadCronCreate",
    "examples": [{"assistant_id": "orchestrator", "schedule": "@daily", "enabled": False}],
    "required": ["assistant_id", "schedule"],
    "properties": {**_RUN, "assistant_id": _ASSISTANT, "multitask_strategy": _STRATEGY},
}
PATCH: Mapping[str, Any] = {
    "type": "object",
    "title": "CronPatch",
    "examples": [{"enabled": False}],
    "properties": {
        **_RUN,
        "end_time": {"type": ["string", "null"], "format": "date-time", "description": "null: no end."},
        "on_run_completed": _ON_RUN_COMPLETED,
    },
}
COUNT: Mapping[str, Any] = {
    "type": "object",
    "title": "CronCountRequest",
    "examples": [{"metadata": {"team": "support"}}],
    "properties": {"assistant_id": _ID, "thread_id": _ID, "metadata": _OBJECT},
}
SEARCH: Mapping[str, Any] = {
    "type": "object",
    "title": "CronSearch",
    "examples": [{"enabled": True, "limit": 10}],
    "properties": {
        **COUNT["properties"],
        "enabled": {"type": "boolean"},
        "limit": {"type": "integer", "default": 10, "minimum": 1, "maximum": 1000},
        "offset": {"type": "integer", "default": 0, "minimum": 0, "maximum": 2**31 - 1},
        "sort_by": {"type": "string", "default": "created_at", "enum": SORT_KEYS},
        "sort_order": {"type": "string", "default": "desc", "enum": ["asc", "desc"]},
        "select": {"type": "array", "items": {"type": "string", "enum": FIELDS}},
    },
}


def new_cron(tenant: str, body: Mapping[str, Any], assistant_id: UUID, thread_id: UUID | None, now: datetime) -> Cron:
    """What is asked for, with an id of its own. Raises BadRequest, Malformed."""
    cron_id = uuid7()
    return Cron(
        tenant_id=tenant,
        cron_id=cron_id,
        assistant_id=assistant_id,
        thread_id=thread_id,
        schedule=body["schedule"],
        timezone=body.get("timezone"),
        end_time=_moment(body.get("end_time")),
        payload=_payload({**body, "assistant_id": str(assistant_id)}, cron_id),
        metadata=body.get("metadata", {}),
        on_run_completed=body.get("on_run_completed", "delete") if thread_id is None else None,
        enabled=body.get("enabled", True),
        next_run_date=next_tick(body["schedule"], body.get("timezone"), now),
        created_at=now,
        updated_at=now,
    )


def changed_cron(cron: Cron, body: Mapping[str, Any], now: datetime) -> Cron:
    """`cron` with the body's fields; metadata is merged, everything else replaced. Raises BadRequest, Malformed.

    Its assistant stays. The next run date is found anew where what it depends on was named.
    """
    schedule, timezone = body.get("schedule", cron.schedule), body.get("timezone", cron.timezone)
    anew = bool({"schedule", "timezone", "end_time"} & body.keys()) or body.get("enabled", cron.enabled) != cron.enabled
    return replace(
        cron,
        schedule=schedule,
        timezone=timezone,
        end_time=_moment(body["end_time"]) if "end_time" in body else cron.end_time,
        payload=_payload({**cron.payload, **body, "assistant_id": str(cron.assistant_id)}, cron.cron_id),
        metadata={**cron.metadata, **body.get("metadata", {})},
        on_run_completed=body.get("on_run_completed", cron.on_run_completed),
        enabled=body.get("enabled", cron.enabled),
        next_run_date=next_tick(schedule, timezone, now) if anew else cron.next_run_date,
        updated_at=now,
    )


def cron_filter(body: Mapping[str, Any]) -> CronFilter:
    """Raises BadRequest for ids that are none."""
    assistant, thread = body.get("assistant_id"), body.get("thread_id")
    return CronFilter(
        assistant_id=None if assistant is None else uuid_of("assistant", assistant),
        thread_id=None if thread is None else uuid_of("thread", thread),
        enabled=body.get("enabled"),
        metadata=body.get("metadata", {}),
    )


def cron_json(cron: Cron, select: Sequence[str] = ()) -> dict[str, Any]:
    """As clients see it; `end_time` is shown in the words in which it came."""
    shown = {
        "cron_id": str(cron.cron_id),
        "assistant_id": str(cron.assistant_id),
        "thread_id": None if cron.thread_id is None else str(cron.thread_id),
        "user_id": cron.user_id,
        "end_time": cron.payload.get("end_time"),
        "schedule": cron.schedule,
        "timezone": cron.timezone,
        "payload": cron.payload,
        "next_run_date": None if cron.next_run_date is None else cron.next_run_date.astimezone(UTC).isoformat(),
        "metadata": cron.metadata,
        "on_run_completed": cron.on_run_completed,
        "enabled": cron.enabled,
        "created_at": stamp(cron.created_at),
        "updated_at": stamp(cron.updated_at),
    }
    return {name: value for name, value in shown.items() if name in select} if select else shown


def _payload(body: Mapping[str, Any], cron_id: UUID) -> dict[str, Any]:
    config = body.get("config") or {}
    configurable = {**config.get("configurable", {}), "cron_id": str(cron_id)}
    return {**body, "config": {**config, "configurable": configurable}}


def _moment(text: str | None) -> datetime | None:
    """UTC where no offset is given."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid end time: '{text}'. Use ISO 8601 (e.g. '2030-01-01T00:00:00Z').") from None
