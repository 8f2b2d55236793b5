"""Threads whose time is over: deleted, or cut down to their newest state, a bounded batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.background import running
from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.sql import FOLDER, read_queries
from server.db.threads import Strategy
from server.db.upkeep import Upkeep
from state.errors import NoDatabase

BATCH = 50
"""Threads in one transaction: their rows are locked that long, and no run starts on them."""
LIMIT = 1_000
"""Threads in one sweep."""
DEFAULT_INTERVAL_MINUTES = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expired:
    """A thread that nothing runs on and whose time is over."""

    tenant_id: str
    thread_id: UUID
    strategy: Strategy
    """`delete` for those of stateless runs, whatever their lifetime says."""


class Retention:
    """For all tenants; any number of processes may run one: each takes threads that no other holds."""

    def __init__(
        self,
        pool: Pool,
        dsn: str,
        *,
        interval_minutes: float | None = None,
        limit: int = LIMIT,
        batch: int = BATCH,
    ) -> None:
        self._pool, self._dsn, self._limit, self._batch = pool, dsn, limit, batch
        self._interval = 60 * (interval_minutes or DEFAULT_INTERVAL_MINUTES)
        self._queries = read_queries(FOLDER / "threads.sql")

    async def run(self) -> None:
        """Sweep at every interval until cancelled; an absent Postgres is waited out."""
        while True:
            try:
                if swept := await self.sweep():
                    log.info("%d threads were at the end of their time", len(swept))
            except NoDatabase as error:
                log.warning("threads were not swept: %s", error)
            await asyncio.sleep(self._interval)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "retention"):
            yield

    async def sweep(self, *, dry_run: bool = False) -> list[Expired]:
        """Delete or cut down what has expired, at most `limit` threads, a transaction for each batch; returns those.

        `dry_run`: nothing is changed. Raises NoDatabase.
        """
        swept: list[Expired] = []
        with told_as_no_database(self._dsn):
            while len(swept) < self._limit:
                size = self._limit if dry_run else min(self._batch, self._limit - len(swept))
                async with self._pool.connection() as connection, connection.transaction():
                    expired = await self._take(connection, size)
                    if not dry_run:
                        await self._end(connection, expired)
                swept += expired
                if dry_run or len(expired) < size:
                    break
        return swept

    async def _take(self, connection: AsyncConnection[DictRow], size: int) -> list[Expired]:
        cursor = await connection.execute(self._queries["expired"], {"limit": size})
        return [Expired(**row) for row in await cursor.fetchall()]

    async def _end(self, connection: AsyncConnection[DictRow], expired: Sequence[Expired]) -> None:
        upkeep = Upkeep(connection)
        deleted = [one.thread_id for one in expired if one.strategy == "delete"]
        kept = [one.thread_id for one in expired if one.strategy == "keep_latest"]
        await connection.execute(self._queries["delete_expired"], {"thread_ids": deleted})
        for thread_id in deleted:
            await upkeep.delete_thread(str(thread_id))
        for thread_id in kept:
            await upkeep.keep_latest(str(thread_id))
        await connection.execute(self._queries["renew"], {"thread_ids": kept})
