"""Executions so far, and how they are looked for: the values of `history.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from server.db.jobs import IN_FLIGHT, JobStatus, job_status
from server.run_queue.shapes import RunStatus


@dataclass(frozen=True)
class Execution:
    """`execution_id` is the first run's id, `run_id` the last one's, whose end this is."""

    seq: int
    """Order of creation."""
    execution_id: UUID
    run_id: UUID
    thread_id: UUID
    graph_id: str
    assistant_id: UUID | None
    metadata: Mapping[str, Any]
    request: str | None
    answer: str | None
    """As `run_queue/digest.py` keeps them: their first 50,000 characters."""
    figures: Mapping[str, Any]
    """Of its result, where that says so: score, attempts, kind, language, agents, metrics."""
    settings: Mapping[str, Any]
    """What it was asked with: model, strategy, tools and so on."""
    run_status: RunStatus
    waits: bool
    error: str | None
    attempt: int
    """Workers that have begun its last run."""
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    output: Any = None
    """What its last run left, most often the state of its thread. None in lists."""

    @property
    def status(self) -> JobStatus:
        return job_status(self.run_status, self.waits)

    @property
    def in_flight(self) -> bool:
        return self.status in IN_FLIGHT

    @property
    def result(self) -> Any:
        """The `result` of the state that it left, where its graph has one."""
        return self.output.get("result") if isinstance(self.output, Mapping) else None


@dataclass(frozen=True)
class PartOf:
    """One run of an execution."""

    run_id: UUID
    status: RunStatus
    modes: Sequence[str]
    """What of it is streamed, and so in its log; nothing is of a run of the foreground."""
    foreground: bool


@dataclass(frozen=True)
class HistoryFilter:
    """Which executions are meant. None: any."""

    status: JobStatus | None = None
    graphs: Sequence[str] | None = None
    team: str = ""
    of_team: bool | None = None
    """Of the crews among them: only those whose crew_id is `team`, or only the others."""
    model: str | None = None
    """The one that answered, or was asked for."""
    thread_id: UUID | None = None
    crew_id: str | None = None
    flow_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Made at or after `since` and before `until`; without a time zone, in UTC."""
    min_score: float | None = None
    words: str | None = None
    """As people write them for search engines: `word "a phrase" -without or`."""


@dataclass(frozen=True)
class Found:
    executions: Sequence[Execution]
    next_cursor: str | None
    """Where older ones go on; None: these were the last."""
