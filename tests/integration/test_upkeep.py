"""Rolling back, pruning, copying and measuring threads: what stays reads as before."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict
from uuid import UUID, uuid4

import pytest
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from server.db.leases import Lease
from server.db.pool import Database
from tests.integration.checkpoint_tables import config_of, counts, rows_of
from tests.integration.leases import end, hold


def append(current: list[str], writes: Any) -> list[str]:
    return [*current, *(text for write in writes for text in write)]


class Plain(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    last: str
    fail: bool


class Delta(TypedDict, total=False):
    log: Annotated[list[str], DeltaChannel(append, snapshot_frequency=5)]
    last: str
    fail: bool


async def first(state: Any) -> Any:
    return {"log": ["first"], "last": "first"}


async def ask(state: Any) -> Any:
    answers = [interrupt("one?"), interrupt("two?")]
    return {"log": answers, "last": "ask"}


async def fail(state: Any) -> Any:
    if state.get("fail"):
        raise ValueError("as told")
    return {"log": ["second"], "last": "second"}


def graph(saver: Any, schema: Any, *, asks: bool) -> Any:
    builder = StateGraph(schema)
    builder.add_node("first", first)
    builder.add_node("ask", ask if asks else first)
    builder.add_node("second", fail)
    for before, after in ((START, "first"), ("first", "ask"), ("ask", "second"), ("second", END)):
        builder.add_edge(before, after)
    return builder.compile(saver)


def nested(saver: Any, schema: Any) -> Any:
    builder = StateGraph(schema)
    builder.add_node("inner", graph(None, schema, asks=True))
    builder.add_edge(START, "inner")
    builder.add_edge("inner", END)
    return builder.compile(saver)


async def a_run(database: Database, built: Any, thread_id: str, given: Any, durability: Any = "async") -> Lease:
    """One run as a worker makes it, to its end, its interrupt or its error."""
    lease = await hold(database.pool, thread_id=UUID(thread_id))
    try:
        await built.copy({"checkpointer": database.checkpointer.fenced(lease)}).ainvoke(
            given, config_of(thread_id), durability=durability
        )
    except ValueError:
        pass
    finally:
        await database.committer.settled()
    return lease


SCHEMAS = pytest.mark.parametrize("schema", [Plain, Delta], ids=["plain", "delta"])
DURABILITIES = pytest.mark.parametrize("durability", ["sync", "async", "exit"])


@SCHEMAS
@DURABILITIES
@pytest.mark.parametrize("given", [{"log": ["in"]}, {"log": ["in"], "fail": True}], ids=["ends", "fails"])
async def test_a_new_run_on_a_finished_thread_is_rolled_back(
    given: Any, durability: Any, schema: Any, database: Database
) -> None:
    built, thread_id = graph(None, schema, asks=False), str(uuid4())
    await end(database.pool, await a_run(database, built, thread_id, {"log": ["before"]}, durability))
    before = await rows_of(database.pool, thread_id)
    lease = await a_run(database, built, thread_id, given, durability)
    assert await rows_of(database.pool, thread_id) != before
    await database.checkpointer.fenced(lease).adelete_for_runs([str(lease.run_id)])
    assert await rows_of(database.pool, thread_id) == before


@SCHEMAS
@DURABILITIES
@pytest.mark.parametrize(
    "answers", [["yes"], ["yes", "no"], [Command(resume="yes", update={"last": "told"})]], ids=["one", "two", "update"]
)
async def test_an_answer_is_rolled_back_and_can_be_given_anew(
    answers: list[Any], durability: Any, schema: Any, database: Database
) -> None:
    built, thread_id = graph(None, schema, asks=True), str(uuid4())
    lease = await a_run(database, built, thread_id, {"log": ["before"], "fail": True}, durability)
    for answer in answers:
        await end(database.pool, lease)
        before = await rows_of(database.pool, thread_id)
        command = answer if isinstance(answer, Command) else Command(resume=answer)
        lease = await a_run(database, built, thread_id, command, durability)
    assert await rows_of(database.pool, thread_id) != before
    await database.checkpointer.fenced(lease).adelete_for_runs([str(lease.run_id)])
    assert await rows_of(database.pool, thread_id) == before
    reader = built.copy({"checkpointer": database.checkpointer})
    assert (await reader.aget_state(config_of(thread_id))).next == ("ask",)
    await end(database.pool, lease)
    await a_run(database, built, thread_id, Command(resume=answers[-1] if len(answers) > 1 else "yes"), durability)


@SCHEMAS
async def test_an_answer_to_a_subgraph_is_rolled_back(schema: Any, database: Database) -> None:
    built, thread_id = nested(None, schema), str(uuid4())
    await end(database.pool, await a_run(database, built, thread_id, {"log": ["before"]}))
    before = await rows_of(database.pool, thread_id)
    lease = await a_run(database, built, thread_id, Command(resume="yes"))
    assert await rows_of(database.pool, thread_id) != before
    await database.checkpointer.fenced(lease).adelete_for_runs([str(lease.run_id)])
    assert await rows_of(database.pool, thread_id) == before


async def test_a_run_taken_over_is_rolled_back_whole(database: Database) -> None:
    """Its second worker knows nothing of what the first one wrote."""
    built, thread_id = graph(None, Plain, asks=True), str(uuid4())
    await end(database.pool, await a_run(database, built, thread_id, {"log": ["before"]}))
    before = await rows_of(database.pool, thread_id)
    lease = await hold(database.pool, thread_id=UUID(thread_id))
    for given in (Command(resume="yes"), None, Command(resume="no")):
        saver = database.checkpointer.fenced(lease)
        await built.copy({"checkpointer": saver}).ainvoke(given, config_of(thread_id))
    await database.checkpointer.fenced(lease).adelete_for_runs([str(lease.run_id)])
    assert await rows_of(database.pool, thread_id) == before


async def test_what_is_remembered_for_a_rollback_goes_with_the_run(database: Database) -> None:
    built, thread_id = graph(None, Plain, asks=True), str(uuid4())
    await end(database.pool, await a_run(database, built, thread_id, {"log": ["before"]}))
    lease = await a_run(database, built, thread_id, Command(resume="yes"))
    async with database.pool.connection() as connection:
        rows = await (await connection.execute("SELECT run_id FROM writes_before_run")).fetchall()
        assert [row["run_id"] for row in rows] == [lease.run_id]
        await connection.execute("DELETE FROM runs WHERE run_id = %s", (lease.run_id,))
        assert await (await connection.execute("SELECT 1 FROM writes_before_run")).fetchall() == []


@SCHEMAS
@DURABILITIES
@pytest.mark.parametrize("rounds", [1, 2, 3, 4])
async def test_keep_latest_leaves_the_state_and_the_thread_goes_on(
    rounds: int, durability: Any, schema: Any, database: Database
) -> None:
    built, thread_id = graph(database.checkpointer, schema, asks=False), str(uuid4())
    where = config_of(thread_id)
    for number in range(rounds):
        await built.ainvoke({"log": [str(number)]}, where, durability=durability)
    before = await built.aget_state(where)
    told = await database.checkpointer.prunable([thread_id])
    held = await counts(database.pool, thread_id)
    await database.checkpointer.aprune([thread_id])
    after = await built.aget_state(where)
    assert (after.values, after.next, after.config) == (before.values, before.next, before.config)
    left = await counts(database.pool, thread_id)
    assert held["checkpoints"] - left["checkpoints"] == told[thread_id]
    if schema is Plain:
        assert left["checkpoints"] == 1
        assert left["checkpoint_writes"] == 0
    await built.ainvoke({"log": ["on"]}, where)
    assert (await built.aget_state(where)).values["log"] == [*before.values["log"], "on", "first", "first", "second"]


@SCHEMAS
async def test_keep_latest_leaves_an_open_question(schema: Any, database: Database) -> None:
    built, thread_id = nested(database.checkpointer, schema), str(uuid4())
    where = config_of(thread_id)
    for given in (
        {"log": ["before"]},
        Command(resume="1"),
        Command(resume="2"),
        {"log": ["again"]},
        Command(resume="3"),
    ):
        await built.ainvoke(given, where)
    before = await built.aget_state(where, subgraphs=True)
    assert len(before.interrupts) == 1
    await database.checkpointer.aprune([thread_id])
    after = await built.aget_state(where, subgraphs=True)
    assert after.interrupts == before.interrupts
    assert after.tasks[0].state.values == before.tasks[0].state.values
    await built.ainvoke(Command(resume="4"), where)
    assert (await built.aget_state(where)).values["log"].count("4") == 1


async def test_pruning_twice_changes_nothing(database: Database) -> None:
    built, thread_id = graph(database.checkpointer, Delta, asks=False), str(uuid4())
    for _ in range(3):
        await built.ainvoke({"log": ["x"]}, config_of(thread_id))
    await database.checkpointer.aprune([thread_id])
    once = await rows_of(database.pool, thread_id)
    assert await database.checkpointer.prunable([thread_id]) == {thread_id: 0}
    await database.checkpointer.aprune([thread_id])
    assert await rows_of(database.pool, thread_id) == once


@pytest.mark.parametrize("strategy", ["keep_latest", "delete"])
async def test_a_dry_run_changes_nothing(strategy: str, database: Database) -> None:
    built, threads = graph(database.checkpointer, Plain, asks=False), [str(uuid4()), str(uuid4())]
    await built.ainvoke({"log": ["x"]}, config_of(threads[0]))
    before = await rows_of(database.pool, threads[0])
    told = await database.checkpointer.prunable(threads, strategy=strategy)
    assert told == {threads[0]: {"keep_latest": 4, "delete": 5}[strategy], threads[1]: 0}
    assert await rows_of(database.pool, threads[0]) == before
    await database.checkpointer.aprune(threads, strategy=strategy)
    left = await counts(database.pool, threads[0])
    assert left["checkpoints"] == 5 - told[threads[0]]
    assert (sum(left.values()) == 0) is (strategy == "delete")


async def test_another_strategy_or_one_id_for_many_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="keep_latest, delete"):
        await database.checkpointer.aprune([], strategy="some")
    with pytest.raises(TypeError):
        await database.checkpointer.aprune("thread")


@SCHEMAS
async def test_a_copied_thread_goes_on_by_itself(schema: Any, database: Database) -> None:
    built, source, target = graph(database.checkpointer, schema, asks=True), str(uuid4()), str(uuid4())
    await built.ainvoke({"log": ["x"]}, config_of(source))
    await database.checkpointer.acopy_thread(source, target)
    assert await rows_of(database.pool, source) == await rows_of(database.pool, target)
    await built.ainvoke(Command(resume="1"), config_of(target))
    await built.ainvoke(Command(resume="2"), config_of(target))
    assert (await built.aget_state(config_of(target))).values["log"] == ["x", "first", "1", "2", "second"]
    assert (await built.aget_state(config_of(source))).next == ("ask",)


async def test_storage_of_nothing(database: Database) -> None:
    assert await database.checkpointer.storage("t") == {
        "thread_id": "t",
        "total_bytes": 0,
        "checkpoints": {"count": 0, "bytes": 0},
        "channel_values": {"count": 0, "bytes": 0, "by_channel": {}},
        "pending_writes": {"count": 0, "bytes": 0},
    }


async def test_storage_counts_each_version_once(database: Database) -> None:
    class State(TypedDict, total=False):
        x: Annotated[list[str], operator.add]
        text: str

    async def node(state: State) -> Any:
        return {"x": ["b"], "text": "four"}

    builder = StateGraph(State)
    builder.add_node("a", node)
    builder.add_edge(START, "a")
    thread_id = str(uuid4())
    await builder.compile(database.checkpointer).ainvoke({"x": ["a"]}, config_of(thread_id))
    found = await database.checkpointer.storage(thread_id)
    values = found["channel_values"]
    assert values["by_channel"]["x"] == {"versions": 2, "bytes": 8}
    assert values["by_channel"]["text"] == {"versions": 1, "bytes": len('"four"')}
    assert next(iter(values["by_channel"])) == "__start__"
    assert values["count"] == sum(one["versions"] for one in values["by_channel"].values())
    assert values["bytes"] == sum(one["bytes"] for one in values["by_channel"].values())
    assert found["checkpoints"]["count"] == 3
    assert found["pending_writes"]["count"] == 4
    assert found["total_bytes"] == sum(
        found[name]["bytes"] for name in ("checkpoints", "channel_values", "pending_writes")
    )
