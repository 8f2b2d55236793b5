"""The Committer: many callers in one transaction, each with its own fate; fenced; through restarts of Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from server.db.account import find_account
from server.db.cluster import Cluster
from server.db.committing import BATCH, Committer, Statement, open_committer
from server.db.connection import WHOLE_SECONDS, connect
from server.db.leases import Lease
from server.db.pool import Database, open_database
from server.settings import Settings
from state.errors import LostLease, NoDatabase
from tests.integration.leases import end, hold, take_over


@pytest.fixture
async def committer(database: Database) -> AsyncIterator[Committer]:
    async with database.pool.connection() as connection:
        await connection.execute("CREATE TABLE notes (key text PRIMARY KEY, value text NOT NULL)")
    async with open_committer(database.dsn) as opened:
        yield opened


def put(key: str, value: str = "") -> list[Statement]:
    query = "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value"
    return [(query, [(key, value)])]


def slow(seconds: float) -> list[Statement]:
    return [("SELECT pg_sleep(%s)", [(seconds,)])]


BAD: list[Statement] = [("INSERT INTO notes VALUES (%s, NULL)", [("bad",)])]


async def notes(database: Database, column: str = "value") -> dict[str, str]:
    # A connection of its own: those of the pool may be dead for a moment after a restart.
    async with await connect(database.dsn) as connection:
        cursor = await connection.execute(f"SELECT key, {column}::text AS it FROM notes")  # type: ignore[arg-type]
        return {row["key"]: row["it"] for row in await cursor.fetchall()}


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


async def waits(database: Database, event: str) -> bool:
    """Whether a statement of this database is asleep in `pg_sleep` or waits for a lock."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = %s", (event,)
        )
        return await cursor.fetchone() is not None


async def backends(database: Database) -> list[int]:
    """Those of committers: connections that the pool does not count as its own."""
    async with database.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ~* 'commit|notes|pg_sleep'"
            " AND pid <> pg_backend_pid()"
        )
        return [row["pid"] for row in await cursor.fetchall()]


async def kill(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as other:
        for pid in await backends(database):
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


async def test_what_gathers_while_one_commit_runs_goes_into_the_next(committer: Committer, database: Database) -> None:
    first = asyncio.create_task(committer.commit(slow(0.2)))
    await until(lambda: waits(database, "PgSleep"))
    await asyncio.gather(*(committer.commit(put(str(number))) for number in range(50)))
    await first
    assert len(await notes(database)) == 50
    assert len(set((await notes(database, "xmin")).values())) == 1


async def test_a_transaction_has_a_bounded_number_of_callers(committer: Committer, database: Database) -> None:
    await asyncio.gather(*(committer.commit(put(str(number))) for number in range(BATCH + 1)))
    transactions = list((await notes(database, "xmin")).values())
    assert sorted(transactions.count(one) for one in set(transactions)) == [1, BATCH]


async def test_later_calls_are_written_after_earlier_ones(committer: Committer, database: Database) -> None:
    await asyncio.gather(*(committer.commit(put("same", str(number))) for number in range(600)))
    assert await notes(database) == {"same": "599"}


async def test_rows_of_one_statement_are_written_in_order(committer: Committer, database: Database) -> None:
    query, _ = put("")[0]
    await committer.commit([(query, [("a", "1"), ("a", "2"), ("b", "3")]), (query, [("b", "4")])])
    assert await notes(database) == {"a": "2", "b": "4"}


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (BAD, psycopg.errors.NotNullViolation),
        ([("INSERT INTO nowhere VALUES (%s)", [(1,)])], psycopg.errors.UndefinedTable),
        (put("a\0b"), psycopg.DataError),
        (put("\ud800"), UnicodeEncodeError),
        ([("INSERT INTO notes VALUES (%s, %s)", [("k", object())])], psycopg.ProgrammingError),
        ([("INSERT INTO notes VALUES (%s, %s)", [("only one",)])], psycopg.ProgrammingError),
    ],
    ids=["constraint", "no table", "NUL", "surrogate", "unknown type", "too few values"],
)
async def test_a_statement_that_is_refused_fails_its_own_caller_only(
    bad: list[Statement], error: type[Exception], committer: Committer, database: Database
) -> None:
    told = await asyncio.gather(
        committer.commit(put("before")),
        committer.commit([*put("with it"), *bad]),
        committer.commit(put("after")),
        return_exceptions=True,
    )
    assert told[0] is None
    assert told[2] is None
    assert isinstance(told[1], error)
    assert await notes(database) == {"before": "", "after": ""}
    await committer.commit(put("later"))
    assert "later" in await notes(database)


async def test_a_cancelled_caller_loses_nothing_and_holds_up_nobody(committer: Committer, database: Database) -> None:
    first = asyncio.create_task(committer.commit([*slow(0.2), *put("under way")]))
    await until(lambda: waits(database, "PgSleep"))
    queued = asyncio.create_task(committer.commit(put("queued")))
    await asyncio.sleep(0)
    first.cancel()
    queued.cancel()
    await committer.commit(put("after"))
    assert first.cancelled()
    assert queued.cancelled()
    assert set(await notes(database)) == {"under way", "queued", "after"}


async def test_settled_waits_for_what_cancelled_callers_handed_in(committer: Committer, database: Database) -> None:
    task = asyncio.create_task(committer.commit([*slow(0.2), *put("late")]))
    await until(lambda: waits(database, "PgSleep"))
    task.cancel()
    await committer.settled()
    assert set(await notes(database)) == {"late"}


async def test_closing_commits_what_waits(database: Database, committer: Committer) -> None:
    async with open_committer(database.dsn) as closing:
        tasks = [asyncio.create_task(closing.commit(put(str(number)))) for number in range(300)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert len(await notes(database)) == 300
    with pytest.raises(NoDatabase, match="stopping"):
        await closing.commit(put("too late"))


async def test_the_newest_lease_of_a_running_run_writes(committer: Committer, database: Database) -> None:
    leases = [await hold(database.pool, token) for token in range(1, 6)]
    await asyncio.gather(*(committer.commit(put(str(lease.token)), lease) for lease in leases for _ in "ab"))
    assert set(await notes(database)) == {"1", "2", "3", "4", "5"}


async def _older(database: Database) -> Lease:
    lease = await hold(database.pool)
    await take_over(database.pool, lease)
    return lease


async def _ended(database: Database) -> Lease:
    lease = await hold(database.pool)
    await end(database.pool, lease)
    return lease


async def _unknown(database: Database) -> Lease:
    return Lease(uuid4(), 1)


@pytest.mark.parametrize("stale", [_older, _ended, _unknown])
async def test_a_stale_lease_writes_nothing_and_harms_nobody(
    stale: Callable[[Database], Awaitable[Lease]], committer: Committer, database: Database
) -> None:
    good = await hold(database.pool)
    told = await asyncio.gather(
        committer.commit(put("unfenced")),
        committer.commit(put("stale"), await stale(database)),
        committer.commit(put("good"), good),
        return_exceptions=True,
    )
    assert [type(one) for one in told] == [type(None), LostLease, type(None)]
    assert set(await notes(database)) == {"unfenced", "good"}


async def test_a_lease_cannot_be_taken_between_the_check_and_the_commit(
    committer: Committer, database: Database
) -> None:
    lease = await hold(database.pool)
    writing = asyncio.create_task(committer.commit([*put("mine"), *slow(0.3)], lease))
    await until(lambda: waits(database, "PgSleep"))
    newer = await take_over(database.pool, lease)  # returns when that commit is through, never before
    assert await notes(database) == {"mine": ""}
    await writing
    with pytest.raises(LostLease, match=str(lease.run_id)):
        await committer.commit(put("mine", "overwritten"), lease)
    await committer.commit(put("mine", "theirs"), newer)
    assert await notes(database) == {"mine": "theirs"}


async def test_a_write_waits_for_a_takeover_under_way_and_is_then_refused(
    committer: Committer, database: Database
) -> None:
    lease = await hold(database.pool)
    async with database.pool.connection() as connection, connection.transaction():
        await connection.execute("UPDATE runs SET lease_token = 9 WHERE run_id = %s", (lease.run_id,))
        writing = asyncio.create_task(committer.commit(put("stale"), lease))
        await until(lambda: waits(database, "transactionid"))
    with pytest.raises(LostLease):
        await writing
    assert await notes(database) == {}


async def test_a_connection_that_was_cut_is_replaced(committer: Committer, database: Database) -> None:
    await committer.commit(put("before"))
    await kill(database)
    await committer.commit(put("after"))
    assert set(await notes(database)) == {"before", "after"}


async def test_a_batch_cut_in_the_middle_is_written_once_and_whole(committer: Committer, database: Database) -> None:
    lease = await hold(database.pool)
    writing = asyncio.create_task(committer.commit([*put("first"), *slow(0.3), *put("last")], lease))
    await until(lambda: waits(database, "PgSleep"))
    await kill(database)
    await writing
    assert set(await notes(database)) == {"first", "last"}


async def test_a_lease_lost_while_the_connection_was_down_stays_lost(committer: Committer, database: Database) -> None:
    lease = await hold(database.pool)
    writing = asyncio.create_task(committer.commit([*put("stale"), *slow(30)], lease))
    await until(lambda: waits(database, "PgSleep"))
    async with database.pool.connection() as connection:
        # Waits for the commit's lock on the run, so the takeover is the first to have it when that connection dies.
        taking = asyncio.create_task(
            connection.execute("UPDATE runs SET lease_token = 9 WHERE run_id = %s", (lease.run_id,))
        )
        await until(lambda: waits(database, "transactionid"))
        with psycopg.connect(database.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        await taking
    with pytest.raises(LostLease):
        await writing
    assert await notes(database) == {}


async def test_a_restart_of_postgres_is_survived(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with open_database(settings) as database:
        async with database.pool.connection() as connection:
            await connection.execute("CREATE TABLE notes (key text PRIMARY KEY, value text NOT NULL)")
        cluster = Cluster(settings.pg_dir, find_account(settings.pg_dir))
        stop = asyncio.Event()

        async def keep_writing(name: str) -> int:
            number = 0
            while not stop.is_set():
                await database.committer.commit(put(f"{name} {number}"))
                number += 1
            return number

        writers = [asyncio.create_task(keep_writing(name)) for name in "abcde"]
        await until(lambda: notes(database))
        await asyncio.to_thread(cluster.stop)
        await asyncio.to_thread(cluster.start, time.monotonic() + 30)
        before = await notes(database)
        await until(lambda: _grown(database, len(before)))
        stop.set()
        counts = await asyncio.gather(*writers)
        assert set(await notes(database)) == {
            f"{name} {number}" for name, count in zip("abcde", counts, strict=True) for number in range(count)
        }


async def _grown(database: Database, count: int) -> bool:
    return len(await notes(database)) > count


async def test_without_postgres_every_caller_is_told_in_time(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with open_database(settings) as database:
        dsn = make_conninfo(database.dsn, password="hunter2-is-secret")
        async with open_committer(dsn, patience_sec=0.2) as committer:
            cluster = Cluster(settings.pg_dir, find_account(settings.pg_dir))
            await asyncio.to_thread(cluster.stop)
            told: list[Any] = await asyncio.gather(
                *(committer.commit(slow(0)) for _ in range(3)), return_exceptions=True
            )
            assert [type(one) for one in told] == [NoDatabase] * 3
            assert len({id(one) for one in told}) == 3
            assert "hunter2" not in str(told[0])
            await asyncio.to_thread(cluster.start, time.monotonic() + 30)
            await committer.commit(slow(0))


async def test_a_transaction_that_is_not_sent_to_its_end_is_cut(committer: Committer, database: Database) -> None:
    await committer.commit(put("a"))
    await committer.commit([("INSERT INTO notes SELECT 'bound', current_setting('transaction_timeout')", [()])])
    assert (await notes(database))["bound"] == f"{WHOLE_SECONDS}s"
    # What that does for a process that is stopped between two parts of a pipeline: Postgres calls it active, not idle.
    stopped = await connect(database.dsn)
    try:
        await stopped.execute("SET transaction_timeout = '200ms'")
        stopped.pgconn.enter_pipeline_mode()
        for query in (b"BEGIN", b"UPDATE notes SET value = 'half' WHERE key = 'a'"):
            stopped.pgconn.send_query_params(query, None)
        stopped.pgconn.send_flush_request()
        stopped.pgconn.flush()
        await until(lambda: busy(database, stopped.info.backend_pid))
        async with asyncio.timeout(10):
            await committer.commit(put("a", "whole"))
    finally:
        await stopped.close()
    assert (await notes(database))["a"] == "whole"


async def busy(database: Database, pid: int) -> bool:
    """Whether a connection has begun to write, or is gone already."""
    async with database.pool.connection() as connection:
        query = "SELECT backend_xid FROM pg_stat_activity WHERE pid = %s"
        row = await (await connection.execute(query, (pid,))).fetchone()
        return row is None or row["backend_xid"] is not None
