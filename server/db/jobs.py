"""Jobs: executions of crews and flows. Each is a run, with the runs after it that bring answers to what it asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from server.db.checkpoints import Pool
from server.db.repository import Repository
from server.run_queue.shapes import RunStatus

Graph = Literal["crew", "flow"]
BOTH: tuple[Graph, ...] = ("crew", "flow")
JobStatus = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED"]
JOB_STATUSES: tuple[JobStatus, ...] = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "INTERRUPTED")
IN_FLIGHT: tuple[JobStatus, ...] = ("PENDING", "RUNNING")
Delivery = tuple[str, bytes]
"""A webhook's address and its body."""

_STATUS: Mapping[RunStatus, JobStatus] = {
    "pending": "PENDING",
    "running": "RUNNING",
    "success": "COMPLETED",
    "error": "FAILED",
    "timeout": "FAILED",
    "interrupted": "CANCELLED",
}


def job_status(status: RunStatus, waits: bool) -> JobStatus:
    """How a job stands whose last run stands so. `waits`: that run stopped for an answer, told as success."""
    return "INTERRUPTED" if status == "success" and waits else _STATUS[status]


def runs_of_status(status: JobStatus | None) -> tuple[list[str] | None, bool | None]:
    """What `job_status` makes this of: statuses of runs, and whether they wait. None: any."""
    if status is None:
        return None, None
    if status == "INTERRUPTED":
        return ["success"], True
    return [run for run, job in _STATUS.items() if job == status], False if status == "COMPLETED" else None


@dataclass(frozen=True)
class Job:
    """A run that a crew or a flow was executed by. `job_id` is the first run's id, `run_id` the last one's."""

    job_id: UUID
    run_id: UUID
    thread_id: UUID
    graph_id: str
    assistant_id: UUID | None
    metadata: Mapping[str, Any]
    run_status: RunStatus
    waits: bool
    error: str | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    input: Any
    webhook: str | None
    output: Any
    """The state that the last run left; None in lists."""
    next: UUID | None
    """The run that has gone on on the thread since, with something else."""

    @property
    def status(self) -> JobStatus:
        return job_status(self.run_status, self.waits)

    @property
    def name(self) -> str | None:
        """Of what was executed: its crew_id or flow_id. None: a run of the graph without a definition that is kept."""
        found = self.metadata.get("crew_id", self.metadata.get("flow_id"))
        return found if isinstance(found, str) else None

    def seconds(self, now: datetime) -> float | None:
        """From its start to its end, or until now; waiting for answers counts."""
        if self.started_at is None:
            return None
        ends = self.finished_at if self.status not in IN_FLIGHT else now
        return round(((ends or now) - self.started_at).total_seconds(), 3)


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are meant. `name`: a crew_id or a flow_id."""

    graphs: tuple[Graph, ...] = BOTH
    name: str | None = None
    status: JobStatus | None = None


@dataclass(frozen=True)
class JobFigures:
    """Jobs of one status. `kind` and `name` where they are told apart by what was executed. Times in seconds."""

    kind: str | None
    name: str | None
    status: JobStatus
    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    last_at: datetime
    last_hour: int
    """Of these, ended in the last hour."""


@dataclass(frozen=True)
class SaidFigures:
    """Messages of one agent, or of the clients together, in the last day; `…_lately`: of these, in the last hour."""

    agent_id: str
    sent: int
    received: int
    sent_lately: int
    received_lately: int


class Jobs(Repository):
    """Jobs of every tenant. Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "jobs.sql")
        told = self._queries.pop("jobs")
        of_jobs = ("get", "search", "count", "figures", "runs_of", "ended_before", "give_up")
        self._queries |= {name: told + b"\n" + self._queries[name] for name in of_jobs}

    async def get(self, tenant: str, job_id: UUID, graphs: Sequence[Graph] = BOTH) -> Job | None:
        rows = await self._ask(tenant, "get", {"graphs": list(graphs), "job_id": job_id})
        return _job(rows[0]) if rows else None

    async def search(self, tenant: str, wanted: JobFilter, *, limit: int, offset: int) -> list[Job]:
        """The newest first."""
        rows = await self._ask(tenant, "search", {**_values(wanted), "limit": limit, "offset": offset})
        return [_job(row) for row in rows]

    async def count(self, tenant: str, wanted: JobFilter) -> int:
        """How many `search` would find in all."""
        return int((await self._ask(tenant, "count", _values(wanted)))[0]["count"])

    async def figures(self, tenant: str, graphs: Sequence[Graph], *, by_name: bool) -> list[JobFigures]:
        """How many there are and how long they took, by status and, with `by_name`, by what was executed."""
        values = {"graphs": list(graphs), "job_id": None, "by_name": by_name}
        return [
            JobFigures(status=job_status(row.pop("run_status"), bool(row.pop("waits"))), **row)
            for row in await self._ask(tenant, "figures", values)
        ]

    async def runs_of(self, tenant: str, job_id: UUID) -> list[UUID]:
        """All runs of a job, in order; empty where there is no such job."""
        rows = await self._ask(tenant, "runs_of", {"graphs": [*BOTH], "job_id": job_id})
        return [row["run_id"] for row in rows]

    async def ended_before(self, tenant: str, graphs: Sequence[Graph], seconds: float, limit: int) -> list[UUID]:
        """Jobs that ended longer than `seconds` ago, the oldest first."""
        values = {"graphs": list(graphs), "job_id": None, "seconds": seconds, "limit": limit}
        return [row["job_id"] for row in await self._ask(tenant, "ended_before", values)]

    async def give_up(self, tenant: str, job_id: UUID, error: str, told: Delivery | None) -> bool:
        """End a job that waits for an answer, and leave `told` to be delivered; whether it did wait."""
        return await self._end(tenant, "give_up", {"graphs": [*BOTH], "job_id": job_id, "error": error}, told)

    async def close_dropped(self, tenant: str, run_id: UUID, error: str, told: Delivery | None) -> bool:
        """The same for a run that was taken out of the queue, which says nothing of itself; whether it was one."""
        return await self._end(tenant, "close_dropped", {"run_id": run_id, "error": error}, told)

    async def _end(self, tenant: str, name: str, values: Mapping[str, Any], told: Delivery | None) -> bool:
        async with self._transaction(tenant) as query:
            ended = await query(name, values)
            if ended and told is not None:
                await query("tell", {"run_id": ended[0]["run_id"], "url": told[0], "body": told[1].decode()})
            return bool(ended)

    async def kept_messages(self, tenant: str) -> int:
        """How many there are, those between the steps of executions among them."""
        return int((await self._ask(tenant, "kept", {}))[0]["count"])

    async def said(self, tenant: str) -> list[SaidFigures]:
        """Messages of the last day by agent, the most talkative first, whichever process sent them."""
        return [SaidFigures(**row) for row in await self._ask(tenant, "said", {})]

    async def delete(self, tenant: str, run_ids: Sequence[UUID], thread_id: UUID) -> bool:
        """Delete runs that have ended; whether their thread has none any more."""
        async with self._transaction(tenant) as query:
            await query("delete", {"run_ids": list(run_ids)})
            return bool((await query("is_empty", {"thread_id": thread_id}))[0]["empty"])


def _values(wanted: JobFilter) -> dict[str, Any]:
    statuses, waits = runs_of_status(wanted.status)
    named = {"graphs": list(wanted.graphs), "job_id": None, "name": wanted.name}
    return {**named, "statuses": statuses, "waits": waits}


def _job(row: Mapping[str, Any]) -> Job:
    return Job(**{name: row[name] for name in Job.__dataclass_fields__})
