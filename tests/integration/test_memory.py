"""What runs leave in the store is found again by meaning, on a real Postgres, and survives another embedder."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import ServerInfo
from langgraph.store.memory import InMemoryStore

from graphs.orchestrator import build
from llm.embeddings import HashingEmbeddings
from nodes.memory import Found, Memory, find_runs, nearest, recall, remember, runs_of
from server.db.connection import connect
from server.db.pool import Database, open_database
from server.db.vectors import BATCH
from server.settings import Settings
from state.context import Context
from tests.fakes import FakeModels, fake_services

MINE = runs_of(None)


class User:
    """What LangGraph asks of an authenticated user."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.is_authenticated = True
        self.display_name = identity
        self.permissions: list[str] = []


def memory(request: str, answer: str = "…", *, passed: bool = True, thread: str = "other") -> Memory:
    return Memory(request=request, answer=answer, passed=passed, thread_id=thread)


async def test_runs_of_other_threads_are_recalled_by_meaning(settings: Settings) -> None:
    async with open_database(settings, HashingEmbeddings()) as database:
        await remember(database.store, MINE, "1", memory("What is the capital of France?", "Paris"))
        await remember(database.store, MINE, "2", memory("Reverse the word house", "esuoh"))
        await remember(database.store, MINE, "3", memory("What is the capital of Spain?", "Rome", passed=False))
        await remember(database.store, MINE, "4", memory("What is the capital of France?", "Here", thread="this"))
        related = await recall(database.store, MINE, "the capital of France, please", limit=3, thread_id="this")
        for number in range(20):  # a thread that asks the same again and again hides no other
            await remember(database.store, MINE, f"again {number}", memory("capital of France", "Paris", thread="this"))
        again = await recall(database.store, MINE, "capital of France", limit=1, thread_id="this")
    assert [(each.run_id, each.answer) for each in related] == [("1", "Paris")]
    assert [each.run_id for each in again] == ["1"]
    assert 0.5 < related[0].similarity <= 1.0


async def test_memory_is_there_after_a_restart_and_a_run_kept_twice_is_one(settings: Settings) -> None:
    for answer in ("first", "second"):
        async with open_database(settings, HashingEmbeddings()) as database:
            await remember(database.store, MINE, "1", memory("Name a colour", answer))
    async with open_database(settings, HashingEmbeddings()) as database:
        found = await find_runs(database.store, MINE, "Name a colour", limit=10)
    assert [(each.memory.answer, round(each.similarity or 0, 3)) for each in found] == [("second", 1.0)]


async def test_another_embedder_embeds_what_is_kept_anew(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    requests = [f"question number {n} about the colour of things" for n in range(BATCH + 5)]
    async with open_database(settings, HashingEmbeddings()) as database:
        for number, request in enumerate(requests):
            await remember(database.store, MINE, str(number), memory(request))
        async with await connect(database.dsn) as connection:
            await connection.execute("UPDATE store SET created_at = created_at - interval '1 day'")
        kept = await find_runs(database.store, MINE, requests[7], limit=1)
    with caplog.at_level(logging.WARNING):
        async with open_database(settings, HashingEmbeddings(dims=96)) as database:
            found = await find_runs(database.store, MINE, requests[7], limit=len(requests))
    assert "embedded anew" in caplog.text
    assert found[0].at == kept[0].at, "when a run ended does not depend on the embedder"
    assert len(found) == len(requests) and all(each.similarity is not None for each in found)
    assert kept[0].run_id == found[0].run_id == "7"


async def test_embedding_anew_that_was_cut_loses_none_that_was_done(settings: Settings) -> None:
    async with open_database(settings, HashingEmbeddings()) as database:
        await remember(database.store, MINE, "1", memory("Name a colour"))
        await remember(database.store, MINE, "2", memory("Name a town"))
    async with await connect(database.dsn) as connection:  # a process that died when one of the two was done
        await connection.execute("CREATE TABLE lab_embed_again AS SELECT prefix, key, field_name FROM store_vectors")
        await connection.execute("DELETE FROM lab_embed_again WHERE key = '1'")
        await connection.execute("DELETE FROM store_vectors WHERE key = '2'")
        await connection.execute("COMMENT ON TABLE store_vectors IS NULL")
    async with open_database(settings, HashingEmbeddings()) as database:
        for number, request in (("1", "Name a colour"), ("2", "Name a town")):
            found = await find_runs(database.store, MINE, request, limit=5)
            assert found[0].run_id == number and found[0].similarity == pytest.approx(1.0)
    async with await connect(database.dsn) as connection:
        left = await (await connection.execute("SELECT to_regclass('lab_embed_again') AS name")).fetchone()
    assert left == {"name": None}


async def test_without_pgvector_nothing_is_recalled_and_runs_are_still_listed(
    database: Database,
) -> None:
    async with await connect(database.dsn) as connection:
        await connection.execute("DROP EXTENSION vector")
    await remember(database.store, MINE, "1", memory("Name a colour", "red"))
    assert await recall(database.store, MINE, "Name a colour", limit=3, thread_id=None) == ()
    found = await find_runs(database.store, MINE, "Name a colour", limit=3)
    assert [(each.memory.answer, each.similarity) for each in found] == [("red", None)]


async def test_what_postgres_cannot_hold_is_kept_without_it(settings: Settings) -> None:
    async with open_database(settings, HashingEmbeddings()) as database:
        odd = "a\x00b \ud800 c " + "x" * 100_000
        await remember(database.store, MINE, "1", memory(odd, odd))
        found = await find_runs(database.store, MINE, odd, limit=1)
    assert found[0].memory.request.startswith("a\ufffdb ? c x") and len(found[0].memory.answer) == 4_000


def test_each_owner_has_a_namespace_of_their_own() -> None:
    names = ["ana@example.org", "ana@example%2Eorg", "ana", "default", ".", "", "langgraph", "%langgraph", "a\x00", "a"]
    spaces = [runs_of(ServerInfo("", "", User(name))) for name in names]  # type: ignore[arg-type]
    assert len(set(spaces)) == len(names) and not any("." in label for space in spaces for label in space)
    assert runs_of(ServerInfo("", "")) == MINE


async def test_any_owner_can_remember(settings: Settings) -> None:
    async with open_database(settings, HashingEmbeddings()) as database:
        for name in ("", "langgraph", "a\x00b", "\ud800", "Ana Ñ. <a@b>"):
            space = runs_of(ServerInfo("", "", User(name)))  # type: ignore[arg-type]
            await remember(database.store, space, "1", memory("Name a colour", name))
            found = await find_runs(database.store, space, "Name a colour", limit=5)
            assert [each.run_id for each in found] == ["1"]


async def test_an_item_that_is_no_run_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    store = InMemoryStore()
    await store.aput(MINE, "note", {"text": "of somebody else"})
    await remember(store, MINE, "1", memory("Name a colour"))
    assert [each.run_id for each in await find_runs(store, MINE, None, limit=5)] == ["1"]
    assert "item note of the store is no remembered run" in caplog.text


async def test_the_orchestrator_recalls_what_it_answered_on_another_thread() -> None:
    store = InMemoryStore(index={"embed": HashingEmbeddings(), "dims": HashingEmbeddings().dims})
    graph = build(fake_services(FakeModels("Canberra it is.", "Canberra, as I said."))).compile(store=store)

    async def ask(thread: str, context: Context) -> dict[str, object]:
        config = RunnableConfig(configurable={"thread_id": thread})
        asked = {"messages": [HumanMessage("Which town is the capital of Australia?")]}
        return await graph.ainvoke(asked, config, context=context)  # type: ignore[return-value]

    first = await ask("a", Context())
    again = await ask("b", Context(related_runs=2))
    assert first["result"].passed  # type: ignore[attr-defined]
    summary = again["result"].summary  # type: ignore[attr-defined]
    assert summary[0] == "history: 0 earlier turns, related runs: 1"


def test_a_request_asked_many_times_is_recalled_once() -> None:
    found = [Found(run_id=str(n), memory=memory("Same?"), similarity=0.9, at="") for n in range(3)]
    assert [each.run_id for each in nearest(found, limit=3)] == ["0"]
