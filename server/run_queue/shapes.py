"""A run as it is asked for and as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from server.db.leases import Lease

MultitaskStrategy = Literal["reject", "enqueue", "interrupt", "rollback"]
RunStatus = Literal["pending", "running", "success", "error", "interrupted", "timeout"]
CancelAction = Literal["interrupt", "rollback"]
ThreadStatus = Literal["idle", "interrupted", "error"]


@dataclass(frozen=True)
class NewRun:
    """A run as a client asks for it, checked and with its assistant found."""

    assistant_id: UUID
    graph_id: str
    kwargs: Mapping[str, Any]
    """What the run is started with, plain JSON: input, command, config, context, stream_mode (list), interrupt_before,
    interrupt_after, webhook, feedback_keys, temporary, subgraphs, resumable, checkpoint_during, durability, and
    checkpoint (a client's own, without thread_id) where one was named. Of a lab run also timeout_sec."""
    thread_id: UUID | None = None
    """None: a thread is made for this run alone."""
    run_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    thread_metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the thread is told of where it is made for the run: the client's own metadata."""
    multitask_strategy: MultitaskStrategy = "enqueue"
    create_thread: bool = False
    """Make the thread where it is missing (`if_not_exists: create`)."""
    temporary: bool = False
    """With a thread of its own: that thread goes when the run has ended (`on_completion: delete`)."""
    resumable: bool = False
    after_seconds: float = 0.0
    assistant_config: Mapping[str, Any] = field(default_factory=dict)
    run_config: Mapping[str, Any] = field(default_factory=dict)
    """What the assistant and the client configured; the thread shows one over the other, and over what it showed."""


@dataclass(frozen=True)
class Run:
    """A row of `runs`."""

    run_id: UUID
    thread_id: UUID
    assistant_id: UUID | None
    graph_id: str
    status: RunStatus
    metadata: Mapping[str, Any]
    kwargs: Mapping[str, Any]
    multitask_strategy: MultitaskStrategy
    created_at: datetime
    updated_at: datetime
    attempt: int
    resumable: bool
    temporary: bool
    error: str | None
    cancel: CancelAction | None = None
    lease_token: int | None = None

    @property
    def lease(self) -> Lease:
        """Of a run that this worker has claimed."""
        assert self.lease_token is not None
        return Lease(self.run_id, self.lease_token)


@dataclass(frozen=True)
class Ending:
    """How a run ends and what its thread shows then. `values` None leaves the thread's as they are."""

    status: RunStatus
    thread_status: ThreadStatus
    output: bytes | None = None
    """JSON: what waiting for the run gives."""
    error: Mapping[str, str] | None = None
    """`error` (class) and `message`."""
    values: bytes | None = None
    interrupts: bytes = b"{}"
    answer: str | None = None
    """What history tells of it and finds it by, as `digest.py` decides; so are `figures`, JSON."""
    figures: bytes | None = None
    webhook: tuple[str, bytes] | None = None
    """URL and JSON body."""

    @property
    def waits(self) -> bool:
        """It has stopped for an answer, which is no failure."""
        return self.status == "success" and self.thread_status == "interrupted"

    @property
    def standing(self) -> str:
        """How the run ended, as figures have it: `waiting` has come to a question, which is a success to its client."""
        return "waiting" if self.waits else self.status

    @property
    def told_error(self) -> dict[str, str] | None:
        """The error as a client waiting for the run is told it."""
        return None if self.error is None else dict(self.error)
