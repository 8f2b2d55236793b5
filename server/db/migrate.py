"""Numbered, forward-only migrations of our tables, and LangGraph's own, by one process at a time."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.connection import connect, told_as_no_database
from server.db.vectors import VectorIndex, has_vectors, set_up_vectors
from state.errors import BadRequest, Broken, NoDatabase

FOLDER = Path(__file__).with_name("migrations")
LOCK = 0x1AB_5C4E3A
"""Key of the advisory lock; any fixed number that nothing else in the database takes."""
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Every `<number>_<name>.sql`, in order. Raises Broken on a gap or a number used twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        if match is None:
            raise Broken(f"{path.name} is not named like 0001_what_it_does.sql")
        # Line ends of a checkout on Windows must not change a checksum.
        found.append(Migration(int(match[1]), match[2], path.read_bytes().replace(b"\r\n", b"\n")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise Broken(f"migrations in {folder} are not numbered 1, 2, 3 …: {[migration.number for migration in found]}")
    return found


def pending(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is left to apply, where `applied` maps numbers to checksums.

    Raises BadRequest when the database is newer than this code, Broken when an applied file was changed since.
    """
    newer = [number for number in applied if number > len(known)]
    if newer:
        raise BadRequest(
            f"the database has migration {max(newer)}, this agent-lab knows {len(known)}; "
            "upgrade agent-lab, or use another database (LAB_DATA_DIR, LAB_DATABASE_URL)"
        )
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise Broken(
                f"migration {migration.number:04}_{migration.name}.sql was changed after it was applied; "
                "restore it and put the change into a new migration"
            )
    return [migration for migration in known if migration.number not in applied]


async def migrate(
    conninfo: str, known: Sequence[Migration] | None = None, *, vectors: VectorIndex | None = None
) -> list[Migration]:
    """Bring every table up to date; returns what was applied of ours. Raises NoDatabase, BadRequest, Broken.

    `vectors`: the embedder of the store's vectors, where Postgres has pgvector; None leaves them as they are.
    """
    known = read_migrations() if known is None else known
    async with await connect(conninfo) as connection:
        with told_as_no_database(conninfo):
            async with _alone(connection):
                await _create_vector(connection)
                missing = pending(known, await _create_and_read_applied(connection))
                for migration in missing:
                    await _apply(connection, migration)
                # They check, then create: two at once fail. The saver builds indexes CONCURRENTLY: no transaction.
                await AsyncPostgresSaver(connection).setup()
                await AsyncPostgresStore(connection).setup()
                await _keep_parts_of_minutes(connection)
                if vectors is not None and await has_vectors(connection):
                    await set_up_vectors(connection, vectors)
    return missing


async def read_applied(connection: AsyncConnection[DictRow]) -> dict[int, str]:
    """Numbers and checksums of the applied migrations; empty in a database that has never been migrated."""
    exists = await connection.execute("SELECT to_regclass('lab_migrations') IS NOT NULL AS yes")
    row = await exists.fetchone()
    if row is None or not row["yes"]:
        return {}
    cursor = await connection.execute("SELECT number, checksum FROM lab_migrations ORDER BY number")
    return {row["number"]: row["checksum"] async for row in cursor}


async def _create_and_read_applied(connection: AsyncConnection[DictRow]) -> dict[int, str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS lab_migrations ("
        " number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    return await read_applied(connection)


async def _apply(connection: AsyncConnection[DictRow], migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(migration.sql, prepare=False)
            await connection.execute(
                "INSERT INTO lab_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
    except (psycopg.ProgrammingError, psycopg.IntegrityError) as error:
        raise Broken(f"migration {migration.number:04}_{migration.name}.sql failed: {error}") from error


async def _create_vector(connection: AsyncConnection[DictRow]) -> None:
    """pgvector, where the server has it and lets us; memory without vectors works without it."""
    cursor = await connection.execute(
        "SELECT name FROM pg_available_extensions WHERE name = 'vector' AND installed_version IS NULL"
    )
    if await cursor.fetchone() is None:
        return
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except psycopg.errors.InsufficientPrivilege:
        return


async def _keep_parts_of_minutes(connection: AsyncConnection[DictRow]) -> None:
    """LangGraph keeps an item's time to live in whole minutes: half a minute would be none once a read renews it."""
    cursor = await connection.execute(
        "SELECT 1 FROM pg_attribute WHERE attrelid = 'store'::regclass"
        " AND attname = 'ttl_minutes' AND atttypid = 'integer'::regtype"
    )
    if await cursor.fetchone() is not None:
        await connection.execute("ALTER TABLE store ALTER COLUMN ttl_minutes TYPE double precision")


@asynccontextmanager
async def _alone(connection: AsyncConnection[DictRow]) -> AsyncIterator[None]:
    """Hold the advisory lock. Raises NoDatabase when another process keeps it for too long.

    Tried again and again, never waited for in the server: a waiting statement holds a snapshot, the saver's CREATE
    INDEX CONCURRENTLY waits for all older snapshots to end, and the two would stand in deadlock.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        cursor = await connection.execute("SELECT pg_try_advisory_lock(%s) AS taken", (LOCK,))
        row = await cursor.fetchone()
        if row is not None and row["taken"]:
            break
        if time.monotonic() > deadline:
            raise NoDatabase(
                f"another process has been migrating this database for over {LOCK_SECONDS:.0f} s; end it and try again"
            )
        await asyncio.sleep(0.05)
    try:
        yield
    finally:
        # The connection is closed next, which frees the lock even where this cannot.
        if not connection.closed and not connection.broken:
            await connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))
