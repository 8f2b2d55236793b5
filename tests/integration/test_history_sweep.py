"""Executions whose time is over, on a real Postgres: which go, with what, and which stay."""

from __future__ import annotations

from uuid import UUID, uuid4

from nodes.memory import Memory, find_runs, remember, runs_of
from server.db.history import History
from server.db.history_shapes import HistoryFilter
from server.db.pool import Database
from server.db.runs import Runs
from server.db.threads import NewThread, Threads
from server.history_sweep import HistorySweeper

TENANT = "default"


async def test_what_ended_long_ago_goes_with_the_threads_that_were_made_for_it(database: Database, runs: Runs) -> None:
    history, threads = History(database.pool, database.dsn), Threads(database.pool, database.dsn)

    async def run(thread_id: UUID, *, ends: bool = True) -> UUID:
        lease = await runs.begin(thread_id, "direct", {"prompt": "x"})
        if ends:
            await runs.finish(lease.run_id, "success", result={"output": "y"})
        return lease.run_id

    async def sql(statement: str, *values: object) -> None:
        async with database.pool.connection() as connection:
            await connection.execute(statement.encode(), values)

    own, named, shared, waiting, busy = (uuid4() for _ in range(5))
    await threads.create(TENANT, NewThread(named))
    old = [await run(thread) for thread in (own, named, shared)]
    waits, works = await run(waiting), await run(busy, ends=False)
    await sql("UPDATE runs SET waits = true WHERE run_id = %s", waits)
    await sql(
        "UPDATE runs SET created_at = created_at - interval '9 days', finished_at = finished_at - interval '9 days'"
    )
    await sql("UPDATE threads SET created_at = created_at - interval '9 days' WHERE thread_id <> %s", named)
    young = await run(shared)
    store = database.store_of(TENANT)
    for kept in (old[0], young):
        await remember(store, runs_of(None), str(kept), Memory(request="x", answer="y"))

    assert await HistorySweeper(history, database.store_of, 10, batch=1).sweep() == 0
    assert await HistorySweeper(history, database.store_of, 8, batch=2).sweep() == len(old)
    left = (await history.search(TENANT, HistoryFilter(), limit=99)).executions
    assert [each.execution_id for each in left] == [young, works, waits]
    found = await threads.delete_many(TENANT, [own, named, shared, waiting, busy])
    assert set(found) == {named, shared, waiting, busy}
    assert [each.run_id for each in await find_runs(store, runs_of(None), "x", limit=9)] == [str(young)]


async def test_one_that_was_answered_goes_whole(database: Database, runs: Runs) -> None:
    history, thread = History(database.pool, database.dsn), uuid4()
    first = await runs.begin(thread, "direct", {"prompt": "x"})
    await runs.finish(first.run_id, "interrupted")
    second = await runs.begin(thread, "direct", {"prompt": None, "decision": "yes"})
    await runs.finish(second.run_id, "success", result={"output": "y"})
    async with database.pool.connection() as connection:
        await connection.execute(
            "UPDATE runs SET finished_at = finished_at - interval '9 days', created_at = now() - interval '9 days'"
        )
    assert await HistorySweeper(history, database.store_of, 8).sweep() == 2
    assert (await history.search(TENANT, HistoryFilter(), limit=9)).executions == []
