"""Whether an answer to an interrupt answers something that waits. Decided from values alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from server.run_queue.shapes import NewRun
from state.errors import Conflict

_INTERRUPT_ID = re.compile(r"[0-9a-f]{32}")


def check_answer(new: NewRun, status: str, interrupts: Mapping[str, Any], in_flight: Sequence[Any]) -> None:
    """`status` and `interrupts` as the thread shows them; `in_flight`: `resume` of its runs that have not ended.

    Raises Conflict: no such interrupt waits, nothing waits at all, or another run brings the answer already.
    A run that puts an end to those before it, or goes back to a checkpoint, is not held against what the thread shows.
    """
    command = new.kwargs.get("command") or {}
    answer = command.get("resume")
    if answer is None or new.kwargs.get("checkpoint") or new.multitask_strategy in ("interrupt", "rollback"):
        return
    waiting = {str(asked["id"]) for asks in interrupts.values() for asked in asks}
    given = ids_answered(answer)
    for other in in_flight:
        taken = ids_answered(other)
        if other is not None and (given is None or taken is None or given & taken):
            raise Conflict("another run of this thread brings an answer already and has not ended; wait for its end")
    if in_flight:
        return
    if status == "idle" and not command.get("goto") and not command.get("update"):
        raise Conflict("nothing on this thread waits for an answer; it was given already, or nobody asked")
    if given and waiting and (wrong := sorted(given - waiting)):
        raise Conflict(f"no interrupt '{wrong[0]}' waits on this thread; what waits: {', '.join(sorted(waiting))}")


def ids_answered(answer: object) -> set[str] | None:
    """The interrupts that an answer names; None: it names none and answers whatever waits."""
    if not isinstance(answer, Mapping) or not answer:
        return None
    if not all(isinstance(key, str) and _INTERRUPT_ID.fullmatch(key) for key in answer):
        return None
    return set(answer)
