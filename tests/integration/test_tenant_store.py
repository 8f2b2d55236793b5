"""The store of one tenant among others, over Postgres."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, PutOp, SearchOp, TTLConfig
from langgraph.store.postgres.aio import AsyncPostgresStore

from llm.embeddings import HashingEmbeddings
from server.db.connection import connect
from server.db.items import Items
from server.db.migrate import migrate, read_migrations
from server.db.pool import Database, open_database
from server.db.store_sweep import StoreSweeper
from server.db.tenant_store import TenantStore
from server.settings import Settings

HOSTILE = ["a' OR '1'='1", "'; DROP TABLE store; --", "%s", "%(a)s", "\\", '"', "a.b", "{a,b}", "NULL"]


@pytest.fixture
def ours(database: Database) -> TenantStore:
    return database.store_of("ours")


@pytest.fixture
def theirs(database: Database) -> TenantStore:
    return database.store_of("theirs")


async def test_tenants_see_only_their_own(ours: TenantStore, theirs: TenantStore) -> None:
    await ours.aput(("a",), "k", {"whose": "ours"})
    await theirs.aput(("a",), "k", {"whose": "theirs"})
    item = await ours.aget(("a",), "k")
    assert item is not None and (item.namespace, item.value) == (("a",), {"whose": "ours"})
    assert [found.value for found in await ours.asearch(())] == [{"whose": "ours"}]
    assert [found.namespace for found in await ours.asearch(())] == [("a",)]
    assert await ours.alist_namespaces() == [("a",)]
    await ours.adelete(("a",), "k")
    assert await theirs.aget(("a",), "k") is not None


@pytest.mark.parametrize("label", ["theirs", "ours", "*", "%", "_", "\\"])
async def test_no_namespace_reaches_another_tenant(ours: TenantStore, theirs: TenantStore, label: str) -> None:
    await theirs.aput(("secret",), "k", {"a": 1})
    assert await ours.aget((label, "secret"), "k") is None
    assert await ours.asearch((label,)) == []
    assert await ours.alist_namespaces(prefix=(label,)) == []
    assert await ours.alist_namespaces(suffix=(label, "secret")) == []
    await ours.adelete((label, "secret"), "k")
    assert await theirs.aget(("secret",), "k") is not None


async def test_a_tenant_whose_name_begins_like_another_is_another(database: Database) -> None:
    await database.store_of("oursx").aput(("a",), "k", {})
    await database.store_of("our%").aput(("a",), "k", {})
    assert await database.store_of("ours").asearch(()) == []
    assert await database.store_of("our%").alist_namespaces() == [("a",)]
    assert await database.store_of("our_").alist_namespaces() == []


@pytest.mark.parametrize("tenant", ["", "a.b", "."])
async def test_a_tenants_name_is_one_label(database: Database, tenant: str) -> None:
    with pytest.raises(ValueError, match="no dots"):
        database.store_of(tenant)


@pytest.mark.parametrize(
    "op",
    [
        GetOp(("a.b",), "k"),
        PutOp(("a.b",), "k", {}),
        SearchOp(("a.b",)),
        ListNamespacesOp(match_conditions=(MatchCondition("suffix", ("a.b",)),)),
        PutOp(("",), "k", {}),
        PutOp(("a\0",), "k", {}),
        PutOp(("a",), "k\0", {}),
        GetOp(("a",), "k\0"),
        PutOp(("a",), "k" * 3000, {}),
    ],
)
async def test_operations_in_a_batch_are_checked_too(ours: TenantStore, op: GetOp | PutOp | SearchOp) -> None:
    with pytest.raises(ValueError, match=r"label|NUL|bytes"):
        await ours.abatch([op])


async def test_a_batch_answers_each_operation_in_its_place(ours: TenantStore) -> None:
    await ours.abatch([PutOp(("a",), "1", {"n": 1}), PutOp(("a", "b"), "2", {"n": 2})])
    first, listed, none, found = await ours.abatch(
        [GetOp(("a",), "1"), ListNamespacesOp(), GetOp(("a",), "none"), SearchOp(("a", "b"))]
    )
    assert first.namespace == ("a",) and listed == [("a",), ("a", "b")] and none is None  # type: ignore[union-attr]
    assert [item.namespace for item in found] == [("a", "b")]  # type: ignore[union-attr]


async def test_nodes_that_are_no_coroutines_use_it_from_their_threads(ours: TenantStore) -> None:
    def node() -> object:
        ours.put(("a",), "k", {"n": 1})
        item = ours.get(("a",), "k")
        return item and item.value

    assert await asyncio.to_thread(node) == {"n": 1}
    with pytest.raises(asyncio.InvalidStateError):
        ours.get(("a",), "k")


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_keys_and_values_are_data(ours: TenantStore, text: str) -> None:
    await ours.aput(("a",), "plain", {"n": 1})
    await ours.aput(("a",), "hostile", {text: {text: text}, "n": 2})
    for wanted in ({text: {text: text}}, {text: {text: {"$eq": text}}}):
        assert [item.key for item in await ours.asearch(("a",), filter=wanted)] == ["hostile"]
    assert await ours.asearch(("a",), filter={text: 1}) == []
    for operator in ("$gt", "$lte", "$ne"):
        await ours.asearch(("a",), filter={text: {operator: 1}})
    assert len(await ours.asearch(("a",))) == 2


async def test_graphs_find_the_latest_first_and_may_order_texts(ours: TenantStore, database: Database) -> None:
    for day in (1, 3, 2):
        await ours.aput(("a",), str(day), {"day": f"2026-01-0{day}", "n": day * 5})
    assert [item.key for item in await ours.asearch(("a",))] == ["2", "3", "1"]
    assert [item.key for item in await ours.asearch(("a",), filter={"day": {"$gte": "2026-01-02"}})] == ["2", "3"]
    assert [item.key for item in await ours.asearch(("a",), filter={"n": {"$gt": 5}})] == ["2", "3"]
    clients = database.store_for_clients("ours")
    assert [item.key for item in await clients.asearch(("a",))] == ["1", "3", "2"]
    with pytest.raises(ValueError, match="could not convert"):
        await clients.asearch(("a",), filter={"day": {"$gte": "2026-01-02"}})


async def test_items_are_found_by_meaning_and_the_others_come_last(settings: Settings) -> None:
    async with open_database(settings, HashingEmbeddings()) as database:
        graphs, clients, others = (
            database.store_of("ours"), database.store_for_clients("ours"), database.store_of("theirs")
        )  # fmt: skip
        await graphs.aput(("a",), "city", {"text": "the capital of France"})
        await graphs.aput(("a",), "fruit", {"text": "a green apple"})
        await graphs.aput(("a",), "unseen", {"text": "the capital of France"}, index=False)
        await others.aput(("a",), "foreign", {"text": "the capital of France"})
        found = await clients.asearch(("a",), query="capital of France")
        assert [item.key for item in found] == ["city", "fruit", "unseen"]
        assert found[0].score is not None and found[1].score is not None and found[2].score is None
        assert found[0].score > found[1].score
        assert [item.key for item in await graphs.asearch(("a",), query="capital of France")] == ["city", "fruit"]
        paged = await clients.asearch(("a",), query="capital of France", limit=1, offset=1, filter={"text": {"$ne": 1}})
        assert [item.key for item in paged] == ["fruit"]


async def test_what_has_expired_is_hidden_at_once_and_swept_in_batches(database: Database, ours: TenantStore) -> None:
    for n in range(7):
        await ours.aput(("a",), f"gone {n}", {}, ttl=0)
    await ours.aput(("a",), "later", {}, ttl=10)
    await ours.aput(("a",), "for ever", {})
    assert {item.key for item in await ours.asearch(("a",))} == {"later", "for ever"}
    now = datetime.now(UTC)
    clock = [now + timedelta(minutes=1)]
    sweeper = StoreSweeper(database.pool, database.dsn, lambda: clock[0], batch=3)
    assert await sweeper.sweep() == 7
    assert await sweeper.sweep() == 0
    clock[0] = now + timedelta(minutes=11)
    assert await sweeper.sweep() == 1
    assert [item.key for item in await ours.asearch(("a",))] == ["for ever"]


async def test_two_sweepers_share_the_work(database: Database, ours: TenantStore) -> None:
    await ours.abatch([PutOp(("a",), str(n), {}, ttl=0) for n in range(50)])
    later = datetime.now(UTC) + timedelta(minutes=1)
    sweepers = [StoreSweeper(database.pool, database.dsn, lambda: later, batch=4) for _ in range(2)]
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 50


@pytest.mark.parametrize(("refresh", "moved"), [(None, True), (True, True), (False, False)])
async def test_reading_renews_a_time_to_live(
    database: Database, ours: TenantStore, refresh: bool | None, moved: bool
) -> None:
    await ours.aput(("a",), "k", {}, ttl=0.5)
    for read in (
        lambda: ours.aget(("a",), "k", refresh_ttl=refresh),
        lambda: ours.asearch(("a",), refresh_ttl=refresh),
    ):
        before = await _expires(database)
        await read()
        after = await _expires(database)
        assert (after > before) == moved
        assert after - datetime.now(UTC) < timedelta(seconds=31)


async def test_items_live_as_long_as_the_configuration_says(database: Database) -> None:
    items = Items(database.pool, None, TTLConfig(default_ttl=2, refresh_on_read=False))
    store = TenantStore(items, "ours", database.dsn)
    await store.aput(("a",), "k", {})
    first = await _expires(database)
    assert timedelta(seconds=100) < first - datetime.now(UTC) < timedelta(seconds=121)
    await store.aget(("a",), "k")
    assert await _expires(database) == first
    await store.aput(("a",), "k", {}, ttl=None)
    assert await _expires(database) is None


async def test_what_was_remembered_before_there_were_tenants_is_the_default_tenants(empty_database_url: str) -> None:
    await migrate(empty_database_url, read_migrations()[:1])
    async with await connect(empty_database_url) as connection:
        index = {"dims": HashingEmbeddings().dims, "embed": HashingEmbeddings(), "fields": ["text"]}
        old = AsyncPostgresStore(connection, index=index)  # type: ignore[arg-type]
        await old.setup()
        await old.aput(("me", "runs"), "1", {"text": "the capital of France"})
    settings = Settings(database_url=empty_database_url, offline=True)  # type: ignore[arg-type]
    async with open_database(settings, HashingEmbeddings()) as database:
        found = await database.store_of("default").asearch(("me", "runs"), query="capital of France")
        assert [(item.namespace, item.key) for item in found] == [(("me", "runs"), "1")]
        await database.store.adelete(("me", "runs"), "1")
        async with database.pool.connection() as reading:
            cursor = await reading.execute("SELECT count(*) AS left FROM store_vectors")
            assert (await cursor.fetchone()) == {"left": 0}


async def _expires(database: Database) -> datetime:
    async with database.pool.connection() as connection:
        row = await (await connection.execute("SELECT expires_at FROM store")).fetchone()
    assert row is not None
    expires: datetime = row["expires_at"]
    return expires
