"""Whether a run may be accepted on its thread, and what happens to those before it. Decided from values alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from server.run_queue.shapes import CancelAction, MultitaskStrategy

Before = tuple[UUID, Literal["pending", "running"]]
"""A run of the same thread that has not ended."""


@dataclass(frozen=True)
class Admission:
    """What is done in the transaction that accepts a run."""

    accepted: bool = True
    ready: bool = False
    """Nothing stands before it: it may be claimed as soon as it is due."""
    stop: tuple[UUID, ...] = ()
    """Running runs that are asked to stop."""
    drop: tuple[UUID, ...] = ()
    """Pending runs that will never start."""
    action: CancelAction = "interrupt"
    """How they are stopped or dropped."""


def admit(strategy: MultitaskStrategy, before: Sequence[Before]) -> Admission:
    """What becomes of a new run where `before` are in flight on its thread."""
    if not before:
        return Admission(ready=True)
    running = tuple(run_id for run_id, status in before if status == "running")
    pending = tuple(run_id for run_id, status in before if status == "pending")
    match strategy:
        case "reject":
            return Admission(accepted=False)
        case "enqueue":
            return Admission()
        case "interrupt" | "rollback":
            return Admission(ready=not running, stop=running, drop=pending, action=strategy)
