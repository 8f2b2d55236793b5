"""Threads whose time is over, on a real Postgres: who goes, who stays, and what of them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from server.db.pool import Database
from server.db.threads import Lifetime, NewThread, Threads
from server.retention import Retention
from state.errors import NotFound

TENANT = "default"


class Count(TypedDict):
    count: int


async def _count(state: Count) -> Count:
    return {"count": state["count"] + 1}


@pytest.fixture
def threads(database: Database) -> Threads:
    return Threads(database.pool, database.dsn)


@pytest.fixture
def retention(database: Database) -> Retention:
    return Retention(database.pool, database.dsn, batch=2)


async def execute(database: Database, query: str, *values: object) -> list[dict[str, Any]]:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def make(threads: Threads, strategy: Any = "delete", minutes: float = 5.0) -> UUID:
    return (await threads.create(TENANT, NewThread(uuid4(), lifetime=Lifetime(strategy, minutes)))).thread_id


async def age(database: Database, *thread_ids: UUID) -> None:
    """As if the time of these threads were over."""
    query = "UPDATE threads SET expires_at = now() - interval '1 second' WHERE thread_id = ANY (%s)"
    await execute(database, query, list(thread_ids))


async def walk(database: Database, thread_id: UUID) -> RunnableConfig:
    """Two checkpoints and a last one with count 1."""
    built = StateGraph(Count)
    built.add_node("count", _count)
    built.add_edge(START, "count")
    built.add_edge("count", END)
    config = RunnableConfig(configurable={"thread_id": str(thread_id)})
    await built.compile(checkpointer=database.checkpointer).ainvoke({"count": 0}, config)
    return config


async def saved(database: Database, config: RunnableConfig) -> list[Any]:
    return [one.checkpoint["channel_values"].get("count") async for one in database.checkpointer.alist(config)]


async def left(database: Database) -> set[str]:
    """Threads that LangGraph's tables still know."""
    found: set[str] = set()
    for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes"):
        found |= {row["thread_id"] for row in await execute(database, f"SELECT thread_id FROM {table}")}
    return found


async def test_a_thread_goes_with_its_checkpoints_when_its_time_is_over(
    database: Database, threads: Threads, retention: Retention
) -> None:
    gone, stays = await make(threads), await make(threads)
    for thread_id in (gone, stays):
        await walk(database, thread_id)
    await age(database, gone)
    assert [one.thread_id for one in await retention.sweep()] == [gone]
    with pytest.raises(NotFound):
        await threads.get(TENANT, gone)
    assert (await threads.get(TENANT, stays)).thread_id == stays
    assert await left(database) == {str(stays)}


async def test_a_thread_can_lose_its_history_only_and_starts_its_time_again(
    database: Database, threads: Threads, retention: Retention
) -> None:
    thread_id = await make(threads, "keep_latest")
    config = await walk(database, thread_id)
    before = await saved(database, config)
    await age(database, thread_id)
    assert [one.strategy for one in await retention.sweep()] == ["keep_latest"]
    assert len(before) == 3
    assert await saved(database, config) == [1]
    thread = await threads.get(TENANT, thread_id)
    assert thread.expires_at is not None
    assert thread.expires_at > thread.created_at
    assert await retention.sweep() == []


async def test_a_dry_run_tells_and_does_nothing(database: Database, threads: Threads, retention: Retention) -> None:
    thread_ids = {await make(threads), await make(threads, "keep_latest"), await make(threads)}
    await age(database, *thread_ids)
    assert {one.thread_id for one in await retention.sweep(dry_run=True)} == thread_ids
    assert {one.thread_id for one in await retention.sweep()} == thread_ids


async def test_a_busy_thread_outlives_its_time(database: Database, threads: Threads, retention: Retention) -> None:
    thread_id = await make(threads)
    await age(database, thread_id)
    await execute(database, "UPDATE threads SET status = 'busy' WHERE thread_id = %s", thread_id)
    assert await retention.sweep() == []
    await execute(database, "UPDATE threads SET status = 'idle' WHERE thread_id = %s", thread_id)
    assert len(await retention.sweep()) == 1


async def test_the_thread_of_a_stateless_run_is_deleted_whatever_its_lifetime_says(
    database: Database, threads: Threads, retention: Retention
) -> None:
    thread_id = await make(threads, "keep_latest")
    await age(database, thread_id)
    await execute(database, "UPDATE threads SET temporary = true WHERE thread_id = %s", thread_id)
    assert [one.strategy for one in await retention.sweep()] == ["delete"]
    assert await execute(database, "SELECT thread_id FROM threads") == []


async def test_a_sweep_ends_at_its_limit_and_the_next_goes_on(database: Database, threads: Threads) -> None:
    retention = Retention(database.pool, database.dsn, limit=5, batch=2)
    thread_ids = [await make(threads) for _ in range(7)]
    await age(database, *thread_ids)
    assert [len(await retention.sweep()) for _ in range(3)] == [5, 2, 0]


async def test_sweeps_at_once_take_each_thread_once(database: Database, threads: Threads) -> None:
    thread_ids = [await make(threads, "keep_latest") for _ in range(20)]
    await age(database, *thread_ids)
    sweepers = [Retention(database.pool, database.dsn, batch=3) for _ in range(4)]
    swept = [one.thread_id for part in await asyncio.gather(*(one.sweep() for one in sweepers)) for one in part]
    assert sorted(swept) == sorted(thread_ids)


async def test_a_thread_that_is_being_changed_is_left_for_the_next_sweep(
    database: Database, threads: Threads, retention: Retention
) -> None:
    thread_id = await make(threads)
    await age(database, thread_id)
    async with threads.changing(TENANT, thread_id):
        assert await retention.sweep() == []
    assert len(await retention.sweep()) == 1


async def test_the_loop_sweeps_at_once_and_ends_with_its_context(
    database: Database, threads: Threads, retention: Retention
) -> None:
    thread_id = await make(threads)
    await age(database, thread_id)
    async with asyncio.timeout(20), retention.running():
        while await threads.existing(TENANT, [thread_id]):
            await asyncio.sleep(0.01)


async def test_threads_without_a_lifetime_get_the_application_s(database: Database) -> None:
    threads = Threads(database.pool, database.dsn, lifetime=Lifetime("keep_latest", 60))
    assert (await threads.create(TENANT, NewThread(uuid4()))).lifetime == Lifetime("keep_latest", 60)
    own = await threads.create(TENANT, NewThread(uuid4(), lifetime=Lifetime("delete", 1)))
    assert own.lifetime == Lifetime("delete", 1)
    assert (await threads.copy(TENANT, own.thread_id)).lifetime == Lifetime("keep_latest", 60)


async def test_threads_of_another_tenant_are_out_of_reach(database: Database, threads: Threads) -> None:
    await execute(database, "INSERT INTO tenants (tenant_id) VALUES ('other')")
    thread_id = await make(threads)
    await walk(database, thread_id)
    with pytest.raises(NotFound):
        await threads.get("other", thread_id)
    assert await threads.delete_many("other", [thread_id]) == []
    assert await threads.prune("other", [thread_id], "keep_latest") == []
    assert await threads.prune("other", [thread_id], "delete", dry_run=True) == []
    assert len(await saved(database, RunnableConfig(configurable={"thread_id": str(thread_id)}))) == 3


async def test_many_changes_at_once_leave_connections_for_others(database: Database, threads: Threads) -> None:
    thread_ids = [await make(threads) for _ in range(12)]
    inside, go = asyncio.Semaphore(0), asyncio.Event()

    async def change(thread_id: UUID) -> None:
        async with threads.changing(TENANT, thread_id):
            inside.release()
            await go.wait()

    changes = [asyncio.create_task(change(thread_id)) for thread_id in thread_ids]
    await inside.acquire()
    async with asyncio.timeout(5):
        assert len(await threads.existing(TENANT, thread_ids)) == 12
    go.set()
    await asyncio.gather(*changes)
