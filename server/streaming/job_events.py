"""A run's events as those who wait for a crew or a flow hear them: agents' turns, tokens, the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from server.db.jobs import Job
from server.streaming.frames import Frame
from server.streaming.said import number_of
from server.wire.values import encode
from state.flows import RESERVED

HEARD_ALL = "end"
"""In an event's id, in place of its number: the last one."""

NAMED = ("agent", "model", "decision")
"""Events that have a name of their own: a turn's begin and end, the model that answers, who goes on."""

Said = tuple[str, bytes]


def events_of(frame: Frame) -> Iterable[Said]:
    """`attempt`, `agent`, `model`, `decision`, `token`, `custom` of one event of a run; most tell nothing here."""
    name, _, inner = frame.name.partition("|")
    match name:
        case "metadata":
            # A run taken over says so: what its unfinished steps said before is void.
            return (("attempt", frame.data),)
        case "custom" if not inner:
            return (_custom(orjson.loads(frame.data)),)
        case "messages":
            return _token(orjson.loads(frame.data))
        case "model":  # of agents that a client named for one execution: a run in the words of the lab
            return (("model", frame.data),)
        case "token":
            said = orjson.loads(frame.data)
            return (("token", encode({"step": said.pop("node"), **said})),)
    return ()


def ending_of(job: Job, shown: Mapping[str, Any]) -> Said:
    """The last event: `result`, `interrupt` (it asks something) or `error`, each with the job as it is shown."""
    name = {"COMPLETED": "result", "INTERRUPTED": "interrupt"}.get(job.status, "error")
    return name, encode(shown)


def event_id(run_id: UUID, seq: int | str) -> str:
    return f"{run_id}.{seq}"


def after_of(job: Job, last_event_id: str | None) -> int | None:
    """After which event of the job's last run a listener begins; 0: all of it. None: it has heard the end."""
    run_id, _, seq = (last_event_id or "").partition(".")
    if run_id != str(job.run_id):
        return 0
    if seq == HEARD_ALL:
        return None
    return number_of(seq) or 0


def _custom(data: Any) -> Said:
    if isinstance(data, Mapping) and (name := data.get("event")) in NAMED:
        return name, encode({key: value for key, value in data.items() if key != "event"})
    return "custom", encode(data)


def _token(data: Any) -> Iterable[Said]:
    """The text of a model's chunk, with the step that it is said in."""
    match data:
        case [{"type": "AIMessageChunk" | "ai", "content": content} as message, {**metadata}]:
            place = str(metadata.get("langgraph_checkpoint_ns") or metadata.get("langgraph_node") or "")
            step, text = place.partition("|")[0].partition(":")[0], _text(content)
            if text and step not in RESERVED:
                yield "token", encode({"step": step, "message_id": message.get("id"), "text": text})


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "".join(
        block["text"] for block in blocks if isinstance(block, Mapping) and isinstance(block.get("text"), str)
    )
