"""What happens to runs when two transactions, a lost answer or a stopped process come in between."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from langgraph.graph import END, START, StateGraph
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from typing_extensions import TypedDict

from server.application.graphs import Application
from server.application.loading import Served
from server.db.connection import connect, told_as_no_database
from server.db.pool import Database, open_database
from server.db.queue import QueueRows
from server.db.run_events import RunEvents
from server.db.sql import FOLDER, read_queries
from server.db.worker import Worker as Life
from server.db.worker import open_worker
from server.run_queue.executor import Executor
from server.run_queue.opening import open_queue
from server.run_queue.queue import Ended, RunQueue
from server.run_queue.shapes import Ending, MultitaskStrategy, NewRun, Run
from server.run_queue.worker import Working
from server.settings import Settings
from server.streaming.hub import Hub
from state.errors import NoDatabase, NotFound

TENANT = "default"
QUERIES = read_queries(FOLDER / "queue.sql")


class State(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    name: str


class Doors:
    """Runs whose name is shut stop in their second node until it is opened, those of `first NAME` in their first."""

    def __init__(self) -> None:
        self.shut: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = {}
        self.began: list[str] = []

    def close(self, name: str) -> None:
        self.shut[name], self.reached[name] = asyncio.Event(), asyncio.Event()

    async def pass_through(self, name: str) -> None:
        if (door := self.shut.get(name)) is not None:
            self.reached[name].set()
            await door.wait()

    async def until_reached(self, name: str) -> None:
        async with asyncio.timeout(30):
            await self.reached[name].wait()


def application(doors: Doors) -> Application:
    async def first(state: State) -> State:
        doors.began.append(state["name"])
        await doors.pass_through(f"first {state['name']}")
        return {"trail": ["first"]}

    async def second(state: State) -> State:
        if state["name"] == "gives up":
            raise asyncio.CancelledError
        await doors.pass_through(state["name"])
        return {"trail": ["second"]}

    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return Application({"two": Served("two", graph.compile(), None)})


class Process:
    def __init__(self, database: Database, life: Life, queue: RunQueue, hub: Hub) -> None:
        self.database, self.life, self.queue, self.hub = database, life, queue, hub
        self.rows = QueueRows(database.pool, database.dsn)

    async def thread(self, thread_id: UUID) -> DictRow:
        async with self.database.pool.connection() as connection:
            cursor = await connection.execute("SELECT * FROM threads WHERE thread_id = %s", (thread_id,))
            row = await cursor.fetchone()
        assert row is not None
        return row

    async def checkpoints(self, thread_id: UUID) -> int:
        return sum([1 async for _ in self.database.checkpointer.alist({"configurable": {"thread_id": str(thread_id)}})])


@pytest.fixture
def doors() -> Doors:
    return Doors()


def told(run: Run, ending: Ending) -> tuple[str, bytes] | None:
    url = run.kwargs.get("webhook")
    return None if url is None else (url, b"{}")


@asynccontextmanager
async def process(settings: Settings, doors: Doors, *, works: bool = True, lease: float = 10) -> AsyncIterator[Process]:
    async with (
        open_database(settings) as database,
        open_worker(database.dsn, lease) as life,
        open_queue(application(doors), database, life, works=works, webhook=told) as (queue, hub),
    ):
        yield Process(database, life, queue, hub)


@pytest.fixture
async def one(settings: Settings, doors: Doors) -> AsyncIterator[Process]:
    async with process(settings, doors) as opened:
        yield opened


@pytest.fixture
async def front(settings: Settings, doors: Doors) -> AsyncIterator[Process]:
    """A process that only accepts runs: what it is given stays pending."""
    async with process(settings, doors, works=False) as opened:
        yield opened


def new(name: str, thread: UUID | None = None, **changed: Any) -> NewRun:
    kwargs = {"input": {"name": name}, "stream_mode": ["updates"], **changed.pop("kwargs", {})}
    known: dict[str, Any] = {"thread_id": thread, "create_thread": True}
    return NewRun(uuid4(), "two", kwargs, **(known | changed))


async def ended(at: Process, run: Run) -> Ended:
    async with asyncio.timeout(20):
        return await at.queue.ended(TENANT, run.run_id)


@asynccontextmanager
async def claiming(at: Process) -> AsyncIterator[None]:
    """Another process is in the middle of claiming what can be claimed; it commits in the end."""
    async with await connect(at.database.dsn) as other, other.transaction():
        claimed = await other.execute(QUERIES["claim"], {"worker_id": 7, "slots": 20})
        assert claimed.rowcount == 1
        yield


async def until_somebody_waits_for_a_lock(at: Process) -> None:
    async with asyncio.timeout(20), await connect(at.database.dsn) as looking:
        while True:
            cursor = await looking.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await cursor.fetchone():
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_that_is_claimed_while_it_is_cancelled_is_asked_to_stop(front: Process, action: Any) -> None:
    run = await front.queue.admit(TENANT, new("a"))
    async with asyncio.TaskGroup() as group, claiming(front):
        cancel = group.create_task(front.rows.cancel(TENANT, run.run_id, action))
        await until_somebody_waits_for_a_lock(front)
    assert cancel.result() == "running"
    now = await front.queue.get(TENANT, run.run_id)
    assert (now.status, now.cancel) == ("running", action)
    async with front.database.pool.connection() as connection:
        cursor = await connection.execute("SELECT max(last_seq) AS last FROM run_events")
        assert await cursor.fetchone() == {"last": 1}


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_that_is_claimed_while_another_takes_its_place_is_asked_to_stop(
    front: Process, strategy: MultitaskStrategy
) -> None:
    thread = uuid4()
    old = await front.queue.admit(TENANT, new("old", thread))
    async with asyncio.TaskGroup() as group, claiming(front):
        admit = group.create_task(
            front.rows.admit(TENANT, [new("young", thread, multitask_strategy=strategy)], front.life.id)
        )
        await until_somebody_waits_for_a_lock(front)
    assert admit.result()[0].run.status == "pending"
    now = await front.queue.get(TENANT, old.run_id)
    assert (now.status, now.cancel) == ("running", strategy)


async def test_a_run_that_is_claimed_while_the_one_behind_it_is_cancelled_stays_claimed(front: Process) -> None:
    thread = uuid4()
    old = await front.queue.admit(TENANT, new("old", thread))
    behind = await front.queue.admit(TENANT, new("behind", thread))
    async with asyncio.TaskGroup() as group, claiming(front):
        group.create_task(front.rows.cancel(TENANT, behind.run_id, "interrupt"))
        await until_somebody_waits_for_a_lock(front)
    assert (await front.queue.get(TENANT, old.run_id)).status == "running"
    assert (await front.queue.get(TENANT, behind.run_id)).status == "interrupted"


async def test_a_run_that_is_claimed_while_it_is_deleted_is_stopped_and_deleted(
    settings: Settings, doors: Doors
) -> None:
    doors.close("a")
    async with process(settings, doors) as one:
        run = await one.queue.admit(TENANT, new("a", after_seconds=3600))
        async with await connect(one.database.dsn) as other, asyncio.TaskGroup() as group:
            async with other.transaction():
                await other.execute("SELECT 1 FROM threads WHERE thread_id = %s FOR UPDATE", (run.thread_id,))
                group.create_task(one.queue.delete(TENANT, run.thread_id, run.run_id))
                await until_somebody_waits_for_a_lock(one)
                await other.execute("UPDATE runs SET due_at = now() WHERE run_id = %s", (run.run_id,))
            one.queue.wake()
        with pytest.raises(NotFound):
            await one.queue.get(TENANT, run.run_id)


async def test_a_delayed_run_does_not_delay_the_next_on_its_thread(one: Process) -> None:
    thread = uuid4()
    later = await one.queue.admit(TENANT, new("later", thread, after_seconds=3600))
    now = await one.queue.admit(TENANT, new("now", thread))
    async with asyncio.timeout(5):
        assert (await one.queue.ended(TENANT, now.run_id)).status == "success"
    assert (await one.queue.get(TENANT, later.run_id)).status == "pending"


async def test_two_runs_of_a_thread_that_are_due_at_once_do_not_stop_the_queue(
    settings: Settings, doors: Doors, front: Process
) -> None:
    thread = uuid4()
    later = await front.queue.admit(TENANT, new("later", thread, after_seconds=0.01))
    now = await front.queue.admit(TENANT, new("now", thread))
    other = await front.queue.admit(TENANT, new("other"))
    await front.rows.tidy()
    async with front.database.pool.connection() as connection:
        await connection.execute("UPDATE runs SET ready = true")
    async with process(settings, doors):
        assert [(await ended(front, run)).status for run in (later, now, other)] == ["success"] * 3


async def test_a_run_whose_claim_was_never_answered_is_run(one: Process) -> None:
    # Postgres committed the claim, and the connection broke before it could say so.
    (admitted,) = await one.rows.admit(TENANT, [new("a")], one.life.id)
    assert admitted.run.status == "running"
    assert (await ended(one, admitted.run)).status == "success"


async def test_a_run_that_is_to_be_rolled_back_when_its_worker_dies_is_rolled_back(
    settings: Settings, doors: Doors, front: Process
) -> None:
    (admitted,) = await front.rows.admit(TENANT, [new("a")], 7)
    await front.rows.cancel(TENANT, admitted.run.run_id, "rollback")
    async with process(settings, doors):
        with pytest.raises(NotFound):
            await ended(front, admitted.run)
    assert doors.began == []


async def test_a_run_that_is_to_stop_when_its_worker_dies_stops_and_says_so(
    settings: Settings, doors: Doors, front: Process
) -> None:
    (admitted,) = await front.rows.admit(TENANT, [new("a", kwargs={"webhook": "http://receiver/"})], 7)
    await front.rows.cancel(TENANT, admitted.run.run_id, "interrupt")
    async with process(settings, doors):
        assert (await ended(front, admitted.run)).status == "interrupted"
    assert doors.began == []
    assert await webhooks(front) == ["http://receiver/"]


async def test_the_webhook_of_a_run_that_no_worker_survived_is_called(
    settings: Settings, doors: Doors, front: Process
) -> None:
    (admitted,) = await front.rows.admit(TENANT, [new("a", kwargs={"webhook": "http://receiver/"})], 7)
    async with front.database.pool.connection() as connection:
        await connection.execute("UPDATE runs SET attempt = max_attempts")
    async with process(settings, doors):
        assert (await ended(front, admitted.run)).status == "error"
    assert await webhooks(front) == ["http://receiver/"]


async def webhooks(at: Process) -> list[str]:
    async with at.database.pool.connection() as connection:
        return [row["url"] for row in await (await connection.execute("SELECT url FROM webhook_deliveries")).fetchall()]


@asynccontextmanager
async def handed_back(settings: Settings, doors: Doors, thread: UUID) -> AsyncIterator[Run]:
    """A run that began, wrote checkpoints, and waits for another worker."""
    doors.close("first a")
    async with process(settings, doors) as leaving:
        run = await leaving.queue.admit(TENANT, new("a", thread))
        await doors.until_reached("first a")
        asyncio.get_running_loop().call_later(0.1, doors.shut["first a"].set)
    yield run


async def test_a_run_that_waits_to_go_on_is_rolled_back_with_what_it_wrote(
    settings: Settings, doors: Doors, front: Process
) -> None:
    thread = uuid4()
    async with handed_back(settings, doors, thread) as run:
        assert await front.checkpoints(thread) > 0
        await front.queue.cancel(TENANT, [run.run_id], "rollback")
        async with process(settings, doors):
            with pytest.raises(NotFound):
                await ended(front, run)
    assert await front.checkpoints(thread) == 0
    assert (await front.thread(thread))["status"] == "idle"


async def test_a_run_that_waits_to_go_on_gives_way_to_a_younger_one_without_a_trace(
    settings: Settings, doors: Doors, front: Process
) -> None:
    thread = uuid4()
    async with handed_back(settings, doors, thread) as run:
        young = await front.queue.admit(TENANT, new("young", thread, multitask_strategy="rollback"))
        async with process(settings, doors):
            over = await ended(front, young)
    assert over.output is not None
    assert b'["first","second"]' in over.output
    with pytest.raises(NotFound):
        await front.queue.get(TENANT, run.run_id)


async def test_the_thread_of_a_stateless_run_that_never_started_goes_as_well(front: Process) -> None:
    run = await front.queue.admit(TENANT, new("a", temporary=True, create_thread=False))
    await front.queue.cancel(TENANT, [run.run_id], "interrupt")
    assert (await front.thread(run.thread_id))["expires_at"] is not None


async def test_a_thread_whose_run_was_stopped_is_in_no_error_when_the_next_one_is_dropped(
    one: Process, doors: Doors
) -> None:
    thread = uuid4()
    doors.close("a")
    run = await one.queue.admit(TENANT, new("a", thread))
    await doors.until_reached("a")
    await one.queue.cancel(TENANT, [run.run_id], "interrupt")
    await ended(one, run)
    before = (await one.thread(thread))["status"]
    later = await one.queue.admit(TENANT, new("later", thread, after_seconds=3600))
    await one.queue.cancel(TENANT, [later.run_id], "interrupt")
    assert (await one.thread(thread))["status"] == before


async def test_a_node_that_is_cancelled_from_within_ends_its_run(one: Process, doors: Doors) -> None:
    run = await one.queue.admit(TENANT, new("gives up"))
    assert (await ended(one, run)).status == "error"
    assert doors.began == ["gives up"]


@pytest.mark.parametrize("after", [4, 5, 1_000_000])
async def test_a_listener_that_asks_for_more_than_there_is_ends_with_the_run(one: Process, after: int) -> None:
    run = await one.queue.admit(TENANT, new("a", resumable=True))
    await ended(one, run)
    async with asyncio.timeout(5):
        assert [frames async for frames in one.hub.read(TENANT, run, after)] == []


async def test_a_listener_that_is_ahead_of_a_run_hears_its_end(one: Process, doors: Doors) -> None:
    doors.close("a")
    run = await one.queue.admit(TENANT, new("a", resumable=True))
    await doors.until_reached("a")
    asyncio.get_running_loop().call_later(0.1, doors.shut["a"].set)
    async with asyncio.timeout(10):
        said = [frame.name async for frames in one.hub.read(TENANT, run, 1_000_000) for frame in frames]
    assert said[-1] == "end"


async def test_a_process_that_stops_in_a_transaction_holds_its_locks_for_a_short_time_only(
    one: Process,
) -> None:
    async def bound(connection: AsyncConnection[DictRow]) -> Any:
        row = await (await connection.execute("SHOW idle_in_transaction_session_timeout")).fetchone()
        return row and row["idle_in_transaction_session_timeout"]

    async with one.database.pool.connection() as connection:
        assert await bound(connection) == "15s"
    await one.database.committer.commit(
        [("CREATE TABLE seen AS SELECT current_setting(%s) AS bound", [("idle_in_transaction_session_timeout",)])]
    )
    async with one.database.pool.connection() as connection:
        assert await (await connection.execute("SELECT bound FROM seen")).fetchone() == {"bound": "15s"}


async def test_a_transaction_that_took_too_long_is_told_as_an_absent_database(one: Process) -> None:
    with pytest.raises(NoDatabase), told_as_no_database(one.database.dsn):
        async with one.database.pool.connection() as connection, connection.transaction():
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            async with await connect(one.database.dsn) as other:
                while await (
                    await other.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (connection.info.backend_pid,))
                ).fetchone():
                    await asyncio.sleep(0.02)
            await connection.execute("SELECT 1")


def test_that_error_is_no_operational_one() -> None:
    assert not issubclass(psycopg.errors.IdleInTransactionSessionTimeout, psycopg.OperationalError)


async def test_a_run_that_is_lost_before_it_begins_is_left_to_its_new_worker(front: Process, doors: Doors) -> None:
    run = await front.queue.admit(TENANT, new("a"))
    for _ in range(2):
        (claimed,) = await front.rows.claim(front.life.id, 1)
        await front.rows.put_back(TENANT, run.run_id, run.thread_id, claimed.run.lease.token, counted=True)
    events = RunEvents(front.database.pool, front.database.dsn, front.database.committer)
    executor = Executor(
        application(doors), front.database, front.rows, events, front.hub, told, wake=lambda: None, address=None
    )
    assert claimed.run.attempt == 2
    await executor(Working(claimed))
    assert doors.began == []
    assert front.hub.log_of(run.run_id) is None
