"""What the database knows of the queue, at a cost that does not grow with the runs that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.db.checkpoints import Pool
from server.db.repository import Repository
from server.run_queue.shapes import RunStatus

_ANY_TENANT = ""


@dataclass(frozen=True)
class InFlight:
    """Runs of all tenants that have not ended. Seconds since they were due; None where none waits."""

    running: int = 0
    pending: int = 0
    """Due; behind others of their thread, or for a worker."""
    delayed: int = 0
    """Not yet due."""
    claimable: int = 0
    """Of `pending`, those that only wait for a worker."""
    longest: float | None = None
    longest_claimable: float | None = None
    median: float | None = None


@dataclass(frozen=True)
class Standing:
    """Executions that stand alike. `waits`: for an answer."""

    status: RunStatus
    waits: bool
    count: int
    mean_seconds: float | None
    """Of those that have ended."""
    mean_waited: float | None


class QueueReadings(Repository):
    """Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "telemetry.sql")

    async def in_flight(self) -> InFlight:
        return InFlight(**(await self._ask(_ANY_TENANT, "in_flight", {}))[0])

    async def live_workers(self) -> int:
        """Processes that say that they live."""
        return int((await self._ask(_ANY_TENANT, "live_workers", {}))[0]["workers"])

    async def newest(self, tenant: str, limit: int) -> Sequence[Standing]:
        """Of the newest `limit` executions."""
        return [Standing(**row) for row in await self._ask(tenant, "newest", {"limit": limit})]
