"""How a run ends, from what its graph left: its status, what waiting for it gives, what its thread shows."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.errors import NodeTimeoutError
from langgraph.types import StateSnapshot

from server.run_queue.digest import answer_of, figures_of
from server.run_queue.shapes import Ending, Run
from server.streaming.errors import error_payload
from server.streaming.lab_stream import is_lab
from server.streaming.modes import Outcome
from server.wire.values import encode
from state.errors import TimedOut

CANCELLED = "requested via POST /threads/{thread_id}/runs/{run_id}/cancel"


def finished(run: Run, outcome: Outcome) -> Ending:
    """A graph that ran to its end, or to an interrupt: the run is done either way, the thread waits in the latter."""
    values = encode(outcome.values)
    return Ending(
        "success",
        "interrupted" if outcome.interrupted else "idle",
        output=outcome.output if outcome.output is not None else values,
        values=values if outcome.checkpoint is not None else None,
        interrupts=encode(outcome.interrupts),
        answer=None if outcome.interrupted else answer_of(outcome.values, values),
        figures=None if outcome.interrupted else figures_of(outcome.values),
    )


def failed(run: Run, error: Exception, state: StateSnapshot | None) -> Ending:
    """A graph that raised."""
    timed_out = isinstance(error, NodeTimeoutError | TimeoutError | TimedOut)
    if isinstance(error, NodeTimeoutError) and is_lab(run.kwargs):
        error = TimedOut(
            f"{error.node} took longer than {error.timeout:g} s; raise LAB_REQUEST_TIMEOUT or ask for fewer tokens"
        )
    return Ending(
        "timeout" if timed_out else "error",
        "error",
        error=error_payload(error),
        **_shown(state),
    )


def cancelled(run: Run, state: StateSnapshot | None, *, rolled_back: bool = False) -> Ending:
    """A run that somebody stopped: what it had finished stays, unless it is rolled back."""
    kind: Literal["Rollback", "Interrupt"] = "Rollback" if rolled_back else "Interrupt"
    waits = state is not None and bool(state.next)
    return Ending(
        "interrupted",
        "interrupted" if waits else "idle",
        error={"error": f"User{kind}", "message": f"{kind.lower()} {CANCELLED}"},
        **_shown(state),
    )


def _shown(state: StateSnapshot | None) -> dict[str, Any]:
    if state is None or state.created_at is None:  # no checkpoint: the thread has no state to show
        return {}
    values = encode(state.values)
    waiting = {
        task.id: [{"id": asked.id, "value": asked.value} for asked in task.interrupts]
        for task in state.tasks
        if task.interrupts
    }
    return {"values": values, "output": values, "interrupts": encode(waiting)}
