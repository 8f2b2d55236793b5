"""One commit for the writes of many runs: what gathers while one commit runs goes into the next, fenced by leases."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import QueryNoTemplate as Query
from psycopg.rows import DictRow

from server.db.connection import CUT, bound_whole, connect, place, told_as_no_database
from server.db.leases import Lease
from server.db.programs import one_line
from state.errors import LostLease, NoDatabase

Statement = tuple[str | bytes, Sequence[Sequence[Any] | Mapping[str, Any]]]
"""A query and the rows of values it is executed with, in order."""

BATCH = 256
"""Callers in one transaction at most: bounds how long the first of them waits for the last."""
ATTEMPTS = 5
"""Transactions begun for one batch, after a lost connection or a deadlock, before its callers are told."""
RECONNECT_SECONDS = 20.0
"""How long a restart of Postgres may take before callers are told."""
RECONNECT_PAUSE = 0.1

HOLD = """
SELECT run_id, lease_token FROM runs
WHERE (run_id, lease_token) IN (SELECT * FROM unnest(%s::uuid[], %s::bigint[])) AND status = 'running'
ORDER BY run_id FOR SHARE
"""
"""The leases that are still the newest of their runs; none can be taken over before the transaction ends."""
HOLD_ALL = f"SELECT 1 / (count(*) = %s)::int FROM ({HOLD}) AS held"
"""The same, failing where one is not: the answer need not be waited for."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Together:
    """One statement for all rows of another: each column comes as an array."""

    query: Query
    columns: Sequence[int] | Sequence[str]
    """Where a row has the columns, in the order of the placeholders."""
    key: Sequence[int] | Sequence[str] = ()
    """Columns in which no two rows of one statement may be alike; of two the later stands. Empty: any may be."""

    def rows(self, rows: Sequence[Any]) -> list[list[Any]]:
        """The values of each column."""
        if self.key:
            rows = list({tuple(row[column] for column in self.key): row for row in rows}.values())
        return [[row[column] for row in rows] for column in self.columns]


NONE: Mapping[Query, Together] = MappingProxyType({})


@dataclass(eq=False)
class _Write:
    statements: Sequence[Statement]
    lease: Lease | None
    done: asyncio.Future[None]


class Committer:
    """Use `open_committer`. One a process, on a connection of its own; used from the event loop it was opened on.

    Statements must be repeatable, upserts or `ON CONFLICT DO NOTHING`: when the connection breaks while a commit is
    under way nobody knows whether it was made, and the batch is executed again.
    """

    def __init__(
        self,
        dsn: str,
        connection: AsyncConnection[DictRow],
        patience_sec: float,
        together: Mapping[Query, Together],
        kind: type[AsyncConnection[DictRow]] = AsyncConnection,
    ) -> None:
        self._dsn = dsn
        self._kind = kind
        self._together = together
        self._patience_sec = patience_sec
        self._connection = connection
        self._waiting: deque[_Write] = deque()
        self._awake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._work(), name="committer")

    async def commit(self, statements: Sequence[Statement], lease: Lease | None = None) -> None:
        """Execute the statements in one transaction, after those of earlier calls, and return when it is committed.

        With a lease: only while it is the newest of its run and that run is `running`. All or nothing of one call; a
        statement that Postgres refuses fails its own caller only. Cancelling the caller does not take its statements
        back. Raises LostLease, NoDatabase, psycopg.Error, and what psycopg raises for values that it cannot write.
        """
        if self._closing:
            raise NoDatabase("nothing more is written: the process is stopping")
        write = _Write(statements, lease, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        self._awake.set()
        await write.done

    async def settled(self) -> None:
        """Return when everything handed in so far is committed or refused, cancelled callers' writes included."""
        if not self._closing:
            await self.commit(())

    async def close(self) -> None:
        """Commit what waits, then close the connection."""
        self._closing = True
        self._awake.set()
        await self._task
        await self._connection.close()

    async def _work(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._awake.clear()
                await self._awake.wait()
                # One turn of the event loop: who woke up together hands in together. A third fewer transactions with
                # ten runs at once, none more with one.
                await asyncio.sleep(0)
                continue
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._commit(batch)
            except Exception as error:
                log.exception("a commit failed")
                for write in batch:
                    _tell(write, error)

    async def _commit(self, batch: Sequence[_Write]) -> None:
        """Commit a batch and tell its callers; never raises what concerns one of them only."""
        refused: Mapping[_Write, Exception] = {}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._reconnect()
                refused = await self._attempt(batch)
                break
            except NoDatabase as error:
                # Each its own: a task that raises an error adds its traceback to it.
                refused = {write: NoDatabase(str(error)) for write in batch}
                break
            except CUT as error:
                log.warning("commit %d of %d failed: %s", attempt, ATTEMPTS, one_line(str(error)))
                reason = f"no Postgres at {place(self._dsn)}: {one_line(str(error))}"
                refused = {write: NoDatabase(reason) for write in batch}
        for write in batch:
            _tell(write, refused.get(write))

    async def _attempt(self, batch: Sequence[_Write]) -> Mapping[_Write, Exception]:
        """What could not be written and why; the rest is committed. Raises OperationalError: nothing is known."""
        try:
            await _commit_together(self._connection, batch, self._together)
        except Exception as error:
            if self._connection.closed:
                raise
            await self._connection.rollback()
            log.debug("a batch of %d is committed piece by piece: %s", len(batch), error)
            return await _commit_apart(self._connection, batch)
        return {}

    async def _reconnect(self) -> None:
        """Raises NoDatabase when Postgres does not come back in time."""
        deadline = time.monotonic() + self._patience_sec
        while self._connection.closed:
            try:
                self._connection = await _connect(self._dsn, self._kind)
            except NoDatabase:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(RECONNECT_PAUSE)


@asynccontextmanager
async def open_committer(
    dsn: str,
    *,
    patience_sec: float = RECONNECT_SECONDS,
    together: Mapping[Query, Together] = NONE,
    kind: type[AsyncConnection[DictRow]] = AsyncConnection,
) -> AsyncIterator[Committer]:
    """Closed, it has committed everything that was handed in. `together`: statements that have a form for many rows.

    `kind`: of the connection. Raises NoDatabase.
    """
    committer = Committer(dsn, await _connect(dsn, kind), patience_sec, together, kind)
    try:
        yield committer
    finally:
        await committer.close()


async def _connect(dsn: str, kind: type[AsyncConnection[DictRow]]) -> AsyncConnection[DictRow]:
    connection = await connect(dsn, kind)
    with told_as_no_database(dsn):
        await bound_whole(connection, session=True)
    return connection


async def _commit_together(
    connection: AsyncConnection[DictRow], batch: Sequence[_Write], together: Mapping[Query, Together]
) -> None:
    """One transaction in one round trip. Raises where anything in it fails."""
    leases = _leases(batch)
    async with connection.pipeline(), connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        if leases:
            await cursor.execute(HOLD_ALL, (len(leases), *_columns(leases)))
        for query, values in gathered(batch, together):
            await cursor.execute(query, values)
        await cursor.execute("COMMIT")


def gathered(batch: Iterable[_Write], together: Mapping[Query, Together]) -> Iterator[tuple[Query, Any]]:
    """The statements of a batch, those that have a form for many rows as one of each kind.

    Kinds that have one do not depend on each other; any other statement comes after those before it, as it was given.
    """
    waiting: dict[Query, list[Any]] = {}

    def told() -> Iterator[tuple[Query, Any]]:
        for query, rows in waiting.items():
            yield together[query].query, together[query].rows(rows)
        waiting.clear()

    for write in batch:
        for query, rows in write.statements:
            if query in together:
                waiting.setdefault(query, []).extend(rows)
                continue
            yield from told()
            for row in rows:
                yield query, row
    yield from told()


async def _commit_apart(connection: AsyncConnection[DictRow], batch: Sequence[_Write]) -> Mapping[_Write, Exception]:
    """One transaction in which each caller has a savepoint and lost leases are left out; returns what was refused."""
    refused: dict[_Write, Exception] = {}
    async with connection.transaction(), connection.cursor() as cursor:
        newest = await held(connection, _leases(batch))
        for write in batch:
            if write.lease is not None and write.lease not in newest:
                refused[write] = LostLease(lost(write.lease))
                continue
            try:
                async with connection.transaction():
                    await _execute(cursor, write.statements)
            except Exception as error:
                if connection.closed:
                    raise
                refused[write] = error
    return refused


async def held(connection: AsyncConnection[DictRow], leases: Sequence[Lease]) -> set[Lease]:
    """Which of them are still the newest of a running run; they stay so until the transaction ends."""
    if not leases:
        return set()
    cursor = await connection.execute(HOLD, _columns(leases))
    return {Lease(row["run_id"], row["lease_token"]) for row in await cursor.fetchall()}


def lost(lease: Lease) -> str:
    """What LostLease says."""
    return f"run {lease.run_id} is no longer this worker's; nothing was written"


async def _execute(cursor: AsyncCursor[DictRow], statements: Iterable[Statement]) -> None:
    for query, rows in statements:
        for row in rows:
            await cursor.execute(query, row)


def _leases(batch: Sequence[_Write]) -> list[Lease]:
    """Each once."""
    return list(dict.fromkeys(write.lease for write in batch if write.lease is not None))


def _columns(leases: Sequence[Lease]) -> tuple[list[Any], list[int]]:
    return [lease.run_id for lease in leases], [lease.token for lease in leases]


def _tell(write: _Write, error: Exception | None) -> None:
    if write.done.done():  # its caller was cancelled
        return
    if error is None:
        write.done.set_result(None)
    else:
        write.done.set_exception(error)
