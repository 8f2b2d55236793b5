"""This process in the eyes of the others: alive for as long as it holds the advisory lock on its id."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.connection import connect, told_as_no_database


class Worker:
    """Use `open_worker`."""

    def __init__(self, dsn: str, worker_id: int, connection: AsyncConnection[DictRow]) -> None:
        self.id = worker_id
        self.dsn = dsn
        """May hold a password."""
        self._connection = connection
        self._lock = asyncio.Lock()

    async def hold(self) -> None:
        """Make sure the lock is held, taking it anew when Postgres was restarted. Raises NoDatabase.

        While the connection was down others could take over this worker's runs; `Runs.finish` then says so.
        """
        async with self._lock:
            try:
                await self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                await self._connection.close()
                self._connection = await _connect_and_lock(self.dsn, self.id)

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def open_worker(dsn: str) -> AsyncIterator[Worker]:
    """A worker with a random id, on a connection of its own. When the process dies, Postgres frees the lock at once."""
    worker_id = secrets.randbits(62) + 1
    worker = Worker(dsn, worker_id, await _connect_and_lock(dsn, worker_id))
    try:
        yield worker
    finally:
        await worker.close()


async def _connect_and_lock(dsn: str, worker_id: int) -> AsyncConnection[DictRow]:
    connection = await connect(dsn)
    try:
        with told_as_no_database(dsn):
            # A machine that vanished without closing its connections is noticed after 25 s, not after two hours. On a
            # Unix socket these have no effect.
            for name, value in (("idle", "10"), ("interval", "5"), ("count", "3")):
                await connection.execute("SELECT set_config(%s, %s, false)", (f"tcp_keepalives_{name}", value))
            await connection.execute("SET lock_timeout = '30s'")
            await connection.execute("SELECT pg_advisory_lock(%s)", (worker_id,))
    except BaseException:
        await connection.close()
        raise
    return connection
