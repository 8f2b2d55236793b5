"""Values of the queue's columns: what a run left, as Postgres keeps it, and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from server.db.json_values import storable_text
from server.run_queue.shapes import Ending
from server.streaming.frames import Frame, lines_of
from server.wire.values import encode

LINGER_SECONDS = 300.0
"""How long the thread of a stateless run is kept after its end: its stream can be joined that long."""


def shown(ending: Ending) -> dict[str, Any]:
    """What a thread shows of how a run on it ended."""
    return {
        "thread_status": ending.thread_status,
        "has_values": ending.values is not None,
        "values": storable(ending.values),
        "interrupts": storable(ending.interrupts),
        "thread_error": None if ending.error is None else storable(encode(ending.error)),
        "linger_seconds": LINGER_SECONDS,
    }


def first_event(run_id: UUID, attempt: int) -> bytes:
    """Data of the `metadata` event with which each attempt begins."""
    return encode({"run_id": str(run_id), "attempt": attempt})


def batch(run_id: UUID, frames: Sequence[Frame]) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "first_seq": frames[0].seq,
        "last_seq": frames[-1].seq,
        "lines": lines_of(frames),
    }


def text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def told(error: Mapping[str, str] | None) -> str | None:
    """An error as the column keeps it, `ValueError: what was wrong`; `read_error` takes it apart."""
    return None if error is None else storable_text(f"{error['error']}: {error['message']}")


def read_error(kept: str | None) -> dict[str, str] | None:
    """`error` (class) and `message` of a run's error."""
    if kept is None:
        return None
    name, _, message = kept.partition(": ")
    return {"error": name, "message": message} if message else {"error": "Error", "message": name}


_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def storable(value: bytes | None) -> str | None:
    """JSON for a jsonb column, which holds no NUL: U+FFFD stands in its place."""
    return None if value is None else _NUL.sub(rb"\1\\ufffd", value).decode()
