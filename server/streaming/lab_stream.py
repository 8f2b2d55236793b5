"""The stream of a lab run, kept in its log in the words of `events.py`: made once, told alike at every door.

A run is streamed so where its `stream_mode` is LAB alone, which no client can ask for. It begins with `metadata`
(`run_id`, `attempt`; again where another worker takes the run over: what its unfinished node said before is void), then
`run`, and ends with `result`, `interrupt` or `error`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from server.run_queue.shapes import Ending, Run
from server.streaming.events import Event
from server.streaming.sse import error_event
from server.wire.values import encode
from state.errors import Broken, Conflict, LabError, TimedOut, errors_by_name

LAB = "lab"
"""The stream mode."""
LAST = ("result", "interrupt", "error")
"""Names of which one ends a stream; several questions may be asked at once."""
CANCELLED = "the run was cancelled"

Told = tuple[str, bytes]


def is_lab(kwargs: Mapping[str, Any]) -> bool:
    """Whether a run of these kwargs is streamed in the lab's words."""
    return bool(kwargs.get("stream_mode") == [LAB])


def beginning(run: Run, going_on_at: Sequence[str]) -> Told:
    """The event `run`; `going_on_at`: the nodes that a resumed run, or one taken over, begins with."""
    return "run", encode({**identity(run), "next": list(going_on_at)})


def last_words(run: Run, ending: Ending) -> Iterable[Told]:
    """What a run says last, with its recorded end."""
    match ending.status:
        case "success" if ending.waits:
            for asked in questions_of(orjson.loads(ending.interrupts)):
                yield "interrupt", encode({**identity(run), **asked})
        case "success":
            values = orjson.loads(ending.output or b"null")
            result = values.get("result") if isinstance(values, dict) else None
            yield "result", encode({**identity(run), **(result or {})})
        case _:
            yield "error", error_words(ending, run.run_id)


def error_words(ending: Ending, run_id: UUID) -> bytes:
    """The data of an `error` event, which tells why a run did not come to its end."""
    return encode({**error_event(failure_of(ending)).data, "execution_id": str(run_id)})


def failure_of(ending: Ending) -> LabError:
    """The error that ended a run, as its caller is told it."""
    told = ending.error or {}
    name, message = told.get("error", ""), told.get("message", "")
    if ending.status == "interrupted":
        return Conflict(CANCELLED)
    if (known := errors_by_name().get(name)) is not None:
        return known(message)
    if ending.status == "timeout":
        return TimedOut(f"{message or name}; raise LAB_REQUEST_TIMEOUT or ask for fewer tokens")
    return Broken(f"the run failed: {name}: {message}")


def raised(data: Mapping[str, Any]) -> LabError:
    """The error that an `error` event tells."""
    return errors_by_name().get(str(data.get("error")), Broken)(str(data.get("detail")))


def last_of(events: Iterable[Event]) -> Event | None:
    """The last event of a run so far that ends it; of several questions the first, with all of them as `interrupts`."""
    ends = [event for event in events if event.name in LAST]
    if not ends or ends[-1].name != "interrupt":
        return ends[-1] if ends else None
    asked = [event.data for event in ends if event.name == "interrupt"]
    return Event("interrupt", {**asked[0], "interrupts": asked})


def identity(run: Run) -> dict[str, str]:
    """`run_id`, `thread_id`, `graph`."""
    return {"run_id": str(run.run_id), "thread_id": str(run.thread_id), "graph": run.graph_id}


def questions_of(interrupts: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """What is asked, `interrupt_id` and `value` each; `interrupts`: by task, as threads have them."""
    return [{"interrupt_id": one["id"], "value": one["value"]} for asks in interrupts.values() for one in asks]
