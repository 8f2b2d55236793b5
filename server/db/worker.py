"""This process in the eyes of the others: alive for as long as it holds the advisory lock on its id and says so."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.background import running
from server.db.connection import connect, told_as_no_database
from state.errors import NoDatabase

LEASE_SECONDS = 10.0
"""How long a process that is stopped, or cut off, keeps its runs."""
BEATS = 10
"""Heartbeats in the time of a lease, at least."""
BEAT_SECONDS = 1.0
"""Between two heartbeats at most: after a restart of Postgres those who are silent for longer are taken for dead."""

_BEAT = """
INSERT INTO workers (worker_id, lease_until) VALUES (%(worker)s, now() + %(seconds)s * interval '1 second')
ON CONFLICT (worker_id) DO UPDATE SET heartbeat_at = now(), lease_until = excluded.lease_until
"""

log = logging.getLogger(__name__)


class Worker:
    """Use `open_worker`."""

    def __init__(self, dsn: str, worker_id: int, connection: AsyncConnection[DictRow], lease_seconds: float) -> None:
        self.id = worker_id
        self.dsn = dsn
        """May hold a password."""
        self.lease_seconds = lease_seconds
        self._connection = connection
        self._lock = asyncio.Lock()
        self.regained_at = -math.inf
        """When the lock was taken anew, on the monotonic clock: Postgres was away, for others most likely, too."""

    async def hold(self) -> None:
        """Say that this process lives, taking its lock anew when Postgres was restarted. Raises NoDatabase.

        While the connection was down others could take over this worker's runs; what it writes of them is refused.
        """
        async with self._lock:
            try:
                await _beat(self._connection, self.id, self.lease_seconds)
            except psycopg.OperationalError:
                await self._connection.close()
                self._connection = await _connect_and_lock(self.dsn, self.id, self.lease_seconds)
                self.regained_at = time.monotonic()

    async def live(self) -> None:
        """Hold on until cancelled."""
        while True:
            await asyncio.sleep(min(self.lease_seconds / BEATS, BEAT_SECONDS))
            try:
                await self.hold()
            except (NoDatabase, psycopg.Error) as error:  # a server that may only be read says so otherwise
                log.warning("%s", error)

    async def close(self) -> None:
        """Let go: the others see at once that this process is gone."""
        with suppress(psycopg.Error):
            await self._connection.execute("DELETE FROM workers WHERE worker_id = %s", (self.id,))
        await self._connection.close()


@asynccontextmanager
async def open_worker(dsn: str, lease_seconds: float = LEASE_SECONDS) -> AsyncIterator[Worker]:
    """A worker with a random id, on a connection of its own. When the process dies, Postgres frees the lock at once."""
    worker_id = secrets.randbits(62) + 1
    worker = Worker(dsn, worker_id, await _connect_and_lock(dsn, worker_id, lease_seconds), lease_seconds)
    try:
        async with running(worker.live(), "heartbeat"):
            yield worker
    finally:
        await worker.close()


async def _beat(connection: AsyncConnection[DictRow], worker_id: int, lease_seconds: float) -> None:
    await connection.execute(_BEAT, {"worker": worker_id, "seconds": lease_seconds})


async def _connect_and_lock(dsn: str, worker_id: int, lease_seconds: float) -> AsyncConnection[DictRow]:
    connection = await connect(dsn)
    try:
        with told_as_no_database(dsn):
            # A machine that vanished without closing its connections is noticed after 25 s, not after two hours. On a
            # Unix socket these have no effect.
            for name, value in (("idle", "10"), ("interval", "5"), ("count", "3")):
                await connection.execute("SELECT set_config(%s, %s, false)", (f"tcp_keepalives_{name}", value))
            await connection.execute("SET lock_timeout = '30s'")
            # A heartbeat that a crash of Postgres forgets was of no use any more.
            await connection.execute("SET synchronous_commit = off")
            await connection.execute("SELECT pg_advisory_lock(%s)", (worker_id,))
            await _beat(connection, worker_id, lease_seconds)
    except BaseException:
        await connection.close()
        raise
    return connection
