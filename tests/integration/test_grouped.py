"""The grouped saver: upstream's rows, its order and its durability, with writes that a lost lease cannot make."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any, TypedDict
from uuid import uuid4

import psycopg
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt
from psycopg_pool import AsyncConnectionPool

from server.db.checkpoint_values import LIGHT, is_light
from server.db.committing import Committer, Statement
from server.db.connection import CONNECTION_OPTIONS
from server.db.grouped import GroupedSaver
from server.db.leases import Lease
from server.db.pool import Database
from state.errors import LostLease
from tests.integration.checkpoint_tables import config_of, counts, rows_of
from tests.integration.leases import hold, take_over


class Copying(GroupedSaver):
    """Makes each call once more, later, for upstream's saver and a thread beside this one."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.pool, database.committer, database.checkpointer.serde)
        self.calls: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = []

    async def aput(self, config: Any, *rest: Any) -> Any:
        self.calls.append(("aput", config, rest))
        return await super().aput(config, *rest)

    async def aput_writes(self, config: Any, *rest: Any) -> None:
        self.calls.append(("aput_writes", config, rest))
        await super().aput_writes(config, *rest)


class State(TypedDict, total=False):
    text: str
    number: float
    messages: list[Any]
    done: dict[str, Any]


async def say(state: State) -> Any:
    await asyncio.sleep(0)
    return {"messages": [HumanMessage("¿qué?", id="1"), AIMessage("4", id="2")], "text": "plain", "number": 1.5}


async def fan(state: State) -> Any:
    return {"done": {"a": [1, None, True]}}


async def ask(state: State) -> Any:
    return {"text": interrupt("really?")}


def graph(saver: Any) -> Any:
    builder = StateGraph(State)
    for name, node in (("say", say), ("fan", fan), ("ask", ask)):
        builder.add_node(name, node)
    builder.add_edge(START, "say")
    builder.add_conditional_edges("say", lambda state: [Send("fan", state)], ["fan"])
    builder.add_edge("fan", "ask")
    builder.add_edge("ask", END)
    return builder.compile(saver)


async def test_fifty_threads_at_once_leave_upstreams_rows_to_the_byte(database: Database) -> None:
    saver = Copying(database)
    built = graph(saver)
    threads = [str(uuid4()) for _ in range(50)]
    await asyncio.gather(*(built.ainvoke({"text": thread}, config_of(thread)) for thread in threads))
    beside = {thread: str(uuid4()) for thread in threads}
    upstream = AsyncPostgresSaver(database.pool, serde=saver.serde)
    for name, config, rest in saver.calls:
        where = config["configurable"]
        moved = {**config, "configurable": {**where, "thread_id": beside[where["thread_id"]]}}
        await getattr(upstream, name)(moved, *rest)
    for thread in threads:
        ours = await rows_of(database.pool, thread)
        assert ours == await rows_of(database.pool, beside[thread])
        assert {table: len(rows) > 0 for table, rows in ours.items()} == dict.fromkeys(ours, True)


async def test_upstreams_saver_and_ours_read_the_same(database: Database) -> None:
    upstream = AsyncPostgresSaver(database.pool, serde=database.checkpointer.serde)
    where = config_of(str(uuid4()))
    await graph(database.checkpointer).ainvoke({"text": "x"}, where)
    ours, theirs = await database.checkpointer.aget_tuple(where), await upstream.aget_tuple(where)
    assert ours == theirs
    assert ours is not None
    assert [one async for one in database.checkpointer.alist(where)] == [one async for one in upstream.alist(where)]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_every_durability_ends_with_the_same_state(durability: Any, database: Database) -> None:
    where = config_of(str(uuid4()))
    built = graph(database.checkpointer)
    await built.ainvoke({"text": "x"}, where, durability=durability)
    state = await built.aget_state(where)
    assert state.next == ("ask",)
    assert state.values["done"] == {"a": [1, None, True]}
    assert len(state.interrupts) == 1


@pytest.mark.parametrize(("durability", "seen"), [("sync", [2, 3, 4]), ("exit", [0, 0, 0])])
async def test_a_node_begins_when_its_durability_says_so(durability: Any, seen: list[int], database: Database) -> None:
    """`sync`: what came before is committed, seen from another connection; `exit`: nothing is until the end."""
    thread_id = str(uuid4())
    committed = []

    async def look(state: State) -> Any:
        committed.append((await counts(database.pool, thread_id))["checkpoints"])
        return {"text": str(len(committed))}

    builder = StateGraph(State)
    for before, name in ((START, "a"), ("a", "b"), ("b", "c")):
        builder.add_node(name, look)
        builder.add_edge(before, name)
    built = builder.compile(database.checkpointer)
    await built.ainvoke({"text": "x"}, config_of(thread_id), durability=durability)
    assert committed == seen  # the input's checkpoint and the first step's come before the first node


ODD: list[Any] = ["a\0b", "\0", math.inf, -math.inf, -0.0, 1e22, 1e-7, 2**63, 10**30, True, None, "é\u2028", 1.0, ""]


@pytest.mark.parametrize("value", ODD, ids=repr)
async def test_an_odd_plain_value_comes_back_as_it_was(value: Any, database: Database) -> None:
    found = await put_and_get(database, {"x": value, "list": ["\0"]})
    assert (repr(found["x"]), type(found["x"])) == (repr(value), type(value))
    assert found["list"] == ["\0"]


async def test_what_no_text_can_hold_is_replaced_and_costs_no_run(database: Database) -> None:
    found = await put_and_get(database, {"nan": math.nan, "half": "a\ud800b", "in a list": ["a\ud800b"]})
    assert math.isnan(found["nan"])
    assert found["half"] == found["in a list"][0] == "a?b"


@pytest.mark.parametrize("value", [{"lc": 1, "type": "constructor", "id": ["os", "system"]}, [{"lc": 2}]])
async def test_data_that_looks_like_a_constructor_stays_data(value: Any, database: Database) -> None:
    assert (await put_and_get(database, {"x": value}))["x"] == value


async def put_and_get(database: Database, values: dict[str, Any]) -> dict[str, Any]:
    where = config_of(str(uuid4()), checkpoint_ns="")
    versions: Any = dict.fromkeys(values, f"{1:032}.1")
    checkpoint = {**empty_checkpoint(), "channel_values": values, "channel_versions": versions}
    await database.checkpointer.aput(where, checkpoint, {}, versions)  # type: ignore[arg-type]
    found = await database.checkpointer.aget_tuple(where)
    assert found is not None
    return found.checkpoint["channel_values"]


async def test_metadata_that_postgres_cannot_hold_is_replaced(database: Database) -> None:
    where = config_of(str(uuid4()), checkpoint_ns="", note="a\ud800b", half={"x": 1})
    metadata: Any = {"step": 1, "deep": {"list": ["\0", math.nan], "\ud800": "x"}}
    await database.checkpointer.aput(where, empty_checkpoint(), metadata, {})
    found = await database.checkpointer.aget_tuple(where)
    assert found is not None
    assert found.metadata == {
        "step": 1,
        "deep": {"list": ["\ufffd", None], "\ufffd": "x"},
        "note": "a\ufffdb",
    }


class Listening:
    """A committer that notes which tasks' writes and which checkpoints were handed in, in order."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self.order: list[str] = []

    async def commit(self, statements: Sequence[Statement], lease: Lease | None = None) -> None:
        for _, rows in statements:
            self.order += [str(row[3] if len(row) > 6 else row[2]) for row in rows]  # type: ignore[index]
        await self._committer.commit(statements, lease)


async def test_light_values_do_not_overtake_heavy_ones_of_their_thread(database: Database) -> None:
    listening: Any = Listening(database.committer)
    saver = GroupedSaver(database.pool, listening)
    where = config_of(str(uuid4()), checkpoint_ns="", checkpoint_id="0")
    other = config_of(str(uuid4()), checkpoint_ns="", checkpoint_id="0")
    heavy = ["x" * 1000] * 5000
    assert not is_light(heavy)
    await asyncio.gather(
        saver.aput_writes(where, [("a", heavy)], "first"),
        saver.aput_writes(where, [("a", 1)], "second"),
        saver.aput_writes(where, [("a", heavy)], "third"),
        saver.aput_writes(where, [("a", 1)], "fourth"),
        saver.aput_writes(other, [("a", 1)], "elsewhere"),
    )
    assert listening.order == ["elsewhere", "first", "second", "third", "fourth"]


async def test_a_heavy_value_comes_back(database: Database) -> None:
    heavy = [HumanMessage("x" * LIGHT, id=str(number)) for number in range(20)]
    assert (await put_and_get(database, {"messages": heavy}))["messages"] == heavy


@pytest.mark.parametrize(
    ("value", "light"),
    [
        (None, True),
        ("x" * (LIGHT + 1), False),
        (b"x" * (LIGHT + 1), False),
        ([1] * (LIGHT + 1), False),
        ({"a": [["x" * LIGHT]]}, False),
        ([HumanMessage("x" * LIGHT)], False),
        ([HumanMessage("hello")] * 20, True),
        (["x" * 40] * 1000, True),
        ([["x" * 500] * 100] * 2, False),
    ],
)
def test_what_is_light(value: Any, light: bool) -> None:
    assert is_light(value) is light


async def test_a_value_that_is_no_end_of_lists_is_heavy() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert not is_light(endless)


async def test_readers_wait_for_nobody_and_a_slow_one_holds_no_connection(database: Database) -> None:
    pool: Any = AsyncConnectionPool(database.dsn, min_size=1, max_size=1, kwargs=CONNECTION_OPTIONS, open=False)
    async with pool:
        saver = GroupedSaver(pool, database.committer)
        where = config_of(str(uuid4()), checkpoint_ns="")
        for _ in range(3):
            await saver.aput(where, empty_checkpoint(), {}, {})
        async with saver.lock:
            slow = saver.alist(where)
            await anext(slow)
            async with asyncio.timeout(5):
                assert await saver.aget_tuple(where) is not None
        assert len([one async for one in slow]) == 2


async def test_a_type_that_cannot_be_serialised_fails_its_own_call_only(database: Database) -> None:
    where = config_of(str(uuid4()), checkpoint_ns="", checkpoint_id="1")
    told = await asyncio.gather(
        database.checkpointer.aput_writes(where, [("a", object())], "bad"),
        database.checkpointer.aput_writes(where, [("a", 1)], "good"),
        return_exceptions=True,
    )
    assert isinstance(told[0], TypeError)
    assert (await counts(database.pool, where["configurable"]["thread_id"]))["checkpoint_writes"] == 1


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_run_that_was_taken_over_writes_nothing_more(durability: Any, database: Database) -> None:
    """The node goes on after the takeover; nothing of what follows is written, and the run says why."""
    thread_id = str(uuid4())
    lease = await hold(database.pool)
    before: list[Any] = []

    async def lose(state: State) -> Any:
        await database.committer.settled()
        await take_over(database.pool, lease)
        before.append(await rows_of(database.pool, thread_id))
        return {"text": "lost"}

    builder = StateGraph(State)
    builder.add_node("lose", lose)
    builder.add_node("say", say)
    builder.add_edge(START, "lose")
    builder.add_edge("lose", "say")
    built = builder.compile(database.checkpointer.fenced(lease))
    with pytest.raises(LostLease):
        await built.ainvoke({"text": "x"}, config_of(thread_id), durability=durability)
    await database.committer.settled()
    assert await rows_of(database.pool, thread_id) == before[0]


async def test_every_write_of_a_stale_saver_is_refused(database: Database) -> None:
    lease = await hold(database.pool)
    stale = database.checkpointer.fenced(lease)
    where = config_of(str(uuid4()), checkpoint_ns="")
    saved: Any = await stale.aput(where, empty_checkpoint(), {}, {})
    newer = database.checkpointer.fenced(await take_over(database.pool, lease))
    thread_id = where["configurable"]["thread_id"]
    kept = await rows_of(database.pool, thread_id)
    for write in (
        lambda: stale.aput(saved, empty_checkpoint(), {}, {}),
        lambda: stale.aput_writes(saved, [("a", 1)], "task"),
        lambda: stale.adelete_thread(thread_id),
        lambda: stale.adelete_for_runs([str(lease.run_id)]),
        lambda: stale.aprune([thread_id]),
        lambda: stale.acopy_thread(thread_id, str(uuid4())),
    ):
        with pytest.raises(LostLease):
            await write()
    assert await rows_of(database.pool, thread_id) == kept
    await newer.aput(saved, empty_checkpoint(), {}, {})
    assert (await counts(database.pool, thread_id))["checkpoints"] == 2


async def test_a_fenced_saver_names_its_run_in_each_checkpoint(database: Database) -> None:
    lease = await hold(database.pool)
    where = config_of(str(uuid4()), checkpoint_ns="")
    await database.checkpointer.fenced(lease).aput(where, empty_checkpoint(), {"step": 1}, {})
    found = await database.checkpointer.aget_tuple(where)
    assert found is not None
    assert found.metadata == {"step": 1, "run_id": str(lease.run_id)}


async def test_a_read_on_a_connection_that_was_cut_is_made_again(database: Database) -> None:
    where = config_of(str(uuid4()), checkpoint_ns="")
    await database.checkpointer.aput(where, empty_checkpoint(), {}, {})
    assert await database.checkpointer.aget_tuple(where) is not None
    with psycopg.connect(database.dsn, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert await database.checkpointer.aget_tuple(where) is not None
    assert len([one async for one in database.checkpointer.alist(where)]) == 1
