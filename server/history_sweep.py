"""Old executions are deleted, with what is remembered of them, where the operator says after how many days."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from langgraph.store.base import BaseStore

from nodes.memory import forget, runs_of
from server.background import running
from server.db.history import History
from state.errors import NoDatabase

INTERVAL_SEC = 3600.0
BATCH = 200
"""Runs deleted in one transaction."""

log = logging.getLogger(__name__)


class HistorySweeper:
    """For all tenants; any number of processes may run one: each takes runs that no other holds."""

    def __init__(
        self, history: History, store_of: Callable[[str], BaseStore], days: float, *, batch: int = BATCH
    ) -> None:
        """`store_of`: a tenant's long-term memory."""
        self._history, self._store_of, self._days, self._batch = history, store_of, days, batch

    async def run(self) -> None:
        """Sweep every hour until cancelled; an absent Postgres is waited out."""
        while True:
            try:
                if count := await self.sweep():
                    log.info("deleted %d runs that ended more than %g days ago", count, self._days)
            except NoDatabase as error:
                log.warning("old runs were not swept: %s", error)
            await asyncio.sleep(INTERVAL_SEC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "history sweeper"):
            yield

    async def sweep(self) -> int:
        """Delete all that is too old by now, but for what still waits for an answer; returns how many runs.

        Raises NoDatabase.
        """
        count = 0
        while True:
            deleted = await self._history.forget_old(self._days, self._batch)
            for tenant in {tenant for tenant, _ in deleted}:
                of_tenant = [str(run_id) for owner, run_id in deleted if owner == tenant]
                await forget(self._store_of(tenant), runs_of(None), of_tenant)
            count += len(deleted)
            if len(deleted) < self._batch:
                return count
