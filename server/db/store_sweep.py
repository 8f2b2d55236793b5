"""Items whose time to live is over: hidden from every read at once, deleted here, a bounded batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from server.background import running
from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.sql import FOLDER, read_queries
from state.errors import NoDatabase

BATCH = 1_000
DEFAULT_INTERVAL_MINUTES = 5.0

log = logging.getLogger(__name__)


class StoreSweeper:
    """For all tenants; any number of processes may run one."""

    def __init__(
        self,
        pool: Pool,
        dsn: str,
        now: Callable[[], datetime],
        *,
        interval_minutes: float | None = None,
        batch: int = BATCH,
    ) -> None:
        self._pool, self._dsn, self._now, self._batch = pool, dsn, now, batch
        self._interval = 60 * (interval_minutes or DEFAULT_INTERVAL_MINUTES)
        self._sweep = read_queries(FOLDER / "store.sql")["sweep_expired"]

    async def run(self) -> None:
        """Sweep at every interval until cancelled; an absent Postgres is waited out."""
        while True:
            try:
                if count := await self.sweep():
                    log.info("deleted %d expired items of the store", count)
            except NoDatabase as error:
                log.warning("the store was not swept: %s", error)
            await asyncio.sleep(self._interval)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "store sweeper"):
            yield

    async def sweep(self) -> int:
        """Delete all that has expired by now, each batch in a statement of its own. Raises NoDatabase."""
        now, count = self._now(), 0
        with told_as_no_database(self._dsn):
            while True:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(self._sweep, {"now": now, "limit": self._batch})
                count += cursor.rowcount
                if cursor.rowcount < self._batch:
                    return count
