"""Calls of agents: one row each, written in batches beside the runs that make them; figures out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import DictRow

from server.db.checkpoints import Pool
from server.db.repository import Repository

CallStatus = Literal["running", "completed", "failed"]

LOST = "its worker was lost"
_ANY_TENANT = ""
_COLUMNS = {
    "agent_run_ids": "call_id", "run_ids": "run_id", "steps": "step", "agent_ids": "agent_id",
    "agent_names": "agent_name", "agent_classes": "agent_class", "attempts": "attempt", "statuses": "status",
    "errors": "error", "input_tokens": "input_tokens", "output_tokens": "output_tokens", "started": "started_at",
    "ended": "ended_at", "registered": "registered",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of one agent, as it stands."""

    call_id: UUID
    run_id: UUID | None
    step: str
    agent_id: str
    agent_name: str
    agent_class: str
    attempt: int
    started_at: datetime
    status: CallStatus = "running"
    error: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    ended_at: datetime | None = None
    registered: bool = True
    """Of a registered agent; a crew's own may have the same id."""

    @property
    def seconds(self) -> float | None:
        """None: it has not ended."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class AgentFigures:
    """An agent's calls, summed up. Seconds are those of calls that have ended; None where none has."""

    agent_id: str
    agent_class: str
    calls: int
    completed: int
    failed: int
    running: int
    mean_seconds: float | None
    p50_seconds: float | None
    p95_seconds: float | None
    input_tokens: int
    output_tokens: int

    @property
    def success_rate(self) -> float | None:
        """Of the calls that have ended, 0 to 1; None where none has."""
        ended = self.completed + self.failed
        return self.completed / ended if ended else None


class AgentRuns(Repository):
    """Calls of every tenant's agents. Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "agent_runs.sql")

    async def write(self, tenant: str, worker_id: int, calls: Sequence[Call]) -> None:
        """Calls as they stand, each once in `calls`. The same may come again; an end is not undone by a begin.

        A call of a run that is no more is left out.
        """
        if calls:
            columns: dict[str, Any] = {
                column: [getattr(call, name) for call in calls] for column, name in _COLUMNS.items()
            }
            await self._ask(tenant, "write", {**columns, "worker_id": worker_id})

    async def of_run(self, tenant: str, run_id: UUID, limit: int = 1_000) -> list[Call]:
        """In the order in which they began; one whose worker is gone has failed."""
        return [_call(row) for row in await self._ask(tenant, "of_run", {"run_id": run_id, "limit": limit})]

    async def figures(self, tenant: str, since: datetime | None = None, limit: int = 1_000) -> list[AgentFigures]:
        """By agent, the most called first."""
        rows = await self._ask(tenant, "figures", {"since": since, "limit": limit})
        return [AgentFigures(**row) for row in rows]

    async def close_lost(self) -> None:
        """Of every tenant: end the calls that nobody else will end."""
        await self._ask(_ANY_TENANT, "close_lost", {})

    async def forget(self, days: float) -> None:
        """Of every tenant: delete older calls outside of any run; the others go with their run."""
        await self._ask(_ANY_TENANT, "forget", {"days": days})


def _call(row: DictRow) -> Call:
    values = {name: value for name, value in row.items() if name not in ("agent_run_id", "lost")}
    if row["lost"]:
        values |= {"status": "failed", "error": LOST}
    return Call(call_id=row["agent_run_id"], **values)
