"""The queue over real Postgres: two processes' worth of workers in one, graphs whose nodes wait for the test."""

from __future__ import annotations

import asyncio
import operator
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from server.application.graphs import Application
from server.application.loading import Served
from server.db.pool import Database, open_database
from server.db.queue import QueueRows
from server.db.worker import open_worker
from server.run_queue.opening import open_queue
from server.run_queue.queue import Ended, RunQueue
from server.run_queue.shapes import MultitaskStrategy, NewRun, Run
from server.settings import Settings
from server.streaming.frames import Frame
from server.streaming.hub import Hub
from state.errors import Conflict, NotFound

TENANT = "default"


class State(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    name: str


@dataclass
class Desk:
    """What nodes do and wait for, in the hands of the test."""

    began: list[str] = field(default_factory=list)
    at_work: Counter[str] = field(default_factory=Counter)
    most_at_once: int = 0
    doors: dict[str, asyncio.Event] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def close(self, name: str) -> None:
        """Runs of this name stop in their second node until `open`."""
        self.doors[name] = asyncio.Event()

    def open(self, name: str) -> None:
        self.doors.pop(name).set()

    async def pass_through(self, name: str) -> None:
        if name in self.doors:
            await self.doors[name].wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(condition)

    async def note(self, text: str) -> None:
        async with self.changed:
            self.began.append(text)
            self.changed.notify_all()

    @contextmanager
    def counted(self, thread: str) -> Iterator[None]:
        self.at_work[thread] += 1
        self.most_at_once = max(self.most_at_once, self.at_work[thread])
        try:
            yield
        finally:
            self.at_work[thread] -= 1


def application(desk: Desk) -> Application:
    async def first(state: State) -> State:
        await desk.note(f"first {state['name']}")
        await desk.pass_through(f"first {state['name']}")
        return {"trail": ["first"]}

    async def second(state: State, config: RunnableConfig) -> State:
        await desk.note(f"second {state['name']}")
        with desk.counted(config["configurable"]["thread_id"]):
            await desk.pass_through(state["name"])
        return {"trail": [f"second {state['name']}"]}

    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return Application({"two": Served("two", graph.compile(), None)})


@dataclass
class Process:
    queue: RunQueue
    hub: Hub
    database: Database


@pytest.fixture
def desk() -> Desk:
    return Desk()


@asynccontextmanager
async def process(settings: Settings, desk: Desk, *, works: bool = True, lease: float = 10.0) -> AsyncIterator[Process]:
    async with (
        open_database(settings) as database,
        open_worker(database.dsn, lease) as life,
        open_queue(application(desk), database, life, works=works) as (queue, hub),
    ):
        yield Process(queue, hub, database)


@pytest.fixture
async def one(settings: Settings, desk: Desk) -> AsyncIterator[Process]:
    async with process(settings, desk) as opened:
        yield opened


def new(name: str, thread: UUID | None = None, **changed: Any) -> NewRun:
    kwargs = {"input": {"name": name}, "stream_mode": ["updates"]}
    known: dict[str, Any] = {"thread_id": thread, "create_thread": True}
    return NewRun(uuid4(), "two", kwargs, **(known | changed))


async def ended(at: Process, run: Run) -> Ended:
    async with asyncio.timeout(30):
        return await at.queue.ended(TENANT, run.run_id)


async def heard(at: Process, run: Run, after: int | None = 0) -> list[Frame]:
    async with asyncio.timeout(30):
        return [frame async for frames in at.hub.read(TENANT, run, after) for frame in frames]


async def test_a_run_is_accepted_runs_and_ends(one: Process) -> None:
    run = await one.queue.admit(TENANT, new("a"))
    frames = await heard(one, run)
    assert [frame.name for frame in frames] == ["metadata", "updates", "updates", "end"]
    assert [frame.seq for frame in frames] == [1, 2, 3, 4]
    over = await ended(one, run)
    assert over.status == "success"
    assert over.output is not None
    assert b"second a" in over.output


async def test_a_run_of_a_process_that_only_accepts_is_run_by_another(settings: Settings, desk: Desk) -> None:
    async with process(settings, desk, works=False) as front, process(settings, desk):
        run = await front.queue.admit(TENANT, new("a"))
        assert run.status == "pending"
        assert [frame.name for frame in await heard(front, run)] == ["metadata", "updates", "updates", "end"]
        assert (await ended(front, run)).status == "success"


async def test_runs_on_one_thread_go_one_after_the_other_in_their_order(one: Process, desk: Desk) -> None:
    thread = uuid4()
    runs = [await one.queue.admit(TENANT, new(str(number), thread)) for number in range(6)]
    assert [(await ended(one, run)).status for run in runs] == ["success"] * 6
    assert [text for text in desk.began if "first" in text] == [f"first {number}" for number in range(6)]


async def test_two_workers_never_run_one_thread_at_once(settings: Settings, desk: Desk) -> None:
    async with process(settings, desk) as left, process(settings, desk) as right:
        threads = [uuid4() for _ in range(6)]
        runs = []
        for number in range(60):
            at = (left, right)[number % 2]
            runs.append(await at.queue.admit(TENANT, new(str(number), threads[number % 6])))
        for run in runs:
            assert (await ended(right, run)).status == "success"
        assert desk.most_at_once == 1
        assert Counter(desk.began) == {f"{step} {number}": 1 for number in range(60) for step in ("first", "second")}


async def test_a_long_queue_on_one_thread_delays_no_other(one: Process, desk: Desk) -> None:
    slow = uuid4()
    desk.close("slow")
    await one.queue.admit(TENANT, new("slow", slow))
    for number in range(150):
        await one.queue.admit(TENANT, new(f"behind {number}", slow))
    other = await one.queue.admit(TENANT, new("other"))
    assert (await ended(one, other)).status == "success"
    assert not any("behind" in text for text in desk.began)
    await one.queue.cancel(TENANT, await one.queue.in_flight(TENANT, slow), "rollback")


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
async def test_a_run_may_put_an_end_to_those_before_it(one: Process, desk: Desk, strategy: MultitaskStrategy) -> None:
    thread = uuid4()
    desk.close("old")
    old = await one.queue.admit(TENANT, new("old", thread))
    await desk.until(lambda: "second old" in desk.began)
    waiting = await one.queue.admit(TENANT, new("waiting", thread))
    young = await one.queue.admit(TENANT, new("young", thread, multitask_strategy=strategy))
    over = await ended(one, young)
    assert over.output is not None
    if strategy == "interrupt":
        assert b'["first","first","second young"]' in over.output
        assert [(await ended(one, run)).status for run in (old, waiting)] == ["interrupted", "interrupted"]
    else:
        assert b'["first","second young"]' in over.output
        for run in (old, waiting):
            with pytest.raises(NotFound):
                await one.queue.get(TENANT, run.run_id)
    assert "first waiting" not in desk.began


async def test_a_run_may_refuse_to_wait(one: Process, desk: Desk) -> None:
    thread = uuid4()
    desk.close("old")
    old = await one.queue.admit(TENANT, new("old", thread))
    with pytest.raises(Conflict, match="already running"):
        await one.queue.admit(TENANT, new("young", thread, multitask_strategy="reject"))
    desk.open("old")
    assert (await ended(one, old)).status == "success"
    assert len(await one.queue.list(TENANT, thread, status=None, limit=10, offset=0)) == 1


async def test_a_run_is_stopped_from_another_process(settings: Settings, desk: Desk) -> None:
    async with process(settings, desk) as left, process(settings, desk, works=False) as right:
        desk.close("a")
        run = await left.queue.admit(TENANT, new("a"))
        await desk.until(lambda: "second a" in desk.began)
        await right.queue.cancel(TENANT, [run.run_id], "interrupt")
        assert (await ended(right, run)).status == "interrupted"
        assert (await heard(right, run))[-1].name == "end"


async def test_a_pending_run_that_is_stopped_never_starts(one: Process, desk: Desk) -> None:
    thread = uuid4()
    desk.close("old")
    old = await one.queue.admit(TENANT, new("old", thread))
    young = await one.queue.admit(TENANT, new("young", thread))
    await one.queue.cancel(TENANT, [young.run_id], "interrupt")
    assert (await ended(one, young)).status == "interrupted"
    assert [frame.name for frame in await heard(one, young)] == ["metadata", "end"]
    desk.open("old")
    assert (await ended(one, old)).status == "success"
    assert "first young" not in desk.began


async def test_a_delayed_run_starts_when_it_is_due(one: Process, desk: Desk) -> None:
    run = await one.queue.admit(TENANT, new("later", after_seconds=0.3))
    assert (run.status, desk.began) == ("pending", [])
    assert (await ended(one, run)).status == "success"


async def test_runs_of_a_batch_are_accepted_together_or_not_at_all(one: Process) -> None:
    missing = new("b", uuid4(), create_thread=False)
    thread = uuid4()
    with pytest.raises(NotFound, match=f"Thread with ID {missing.thread_id} not found"):
        await one.queue.admit_many(TENANT, [new("a", thread), missing])
    assert not await one.queue.has_thread(TENANT, thread)


@pytest.mark.parametrize(("at", "told"), [("first a", ["updates", "metadata", "updates"]), ("a", ["updates"] * 2)])
async def test_a_stopping_worker_lets_the_node_at_work_end_and_hands_the_rest_back(
    settings: Settings, desk: Desk, at: str, told: list[str]
) -> None:
    desk.close(at)
    async with process(settings, desk, works=False) as front:
        async with process(settings, desk) as leaving:
            run = await leaving.queue.admit(TENANT, new("a"))
            await desk.until(lambda: {"first a": "first a", "a": "second a"}[at] in desk.began)
            leave = asyncio.create_task(leaving.queue.leave())
            await asyncio.sleep(0)
            desk.open(at)
            await leave
        async with process(settings, desk):
            assert (await ended(front, run)).status == "success"
        assert desk.began == ["first a", "second a"]
        assert [frame.name for frame in await heard(front, run)] == ["metadata", *told, "end"]


async def test_another_tenants_run_is_not_there(one: Process) -> None:
    run = await one.queue.admit(TENANT, new("a"))
    await ended(one, run)
    with pytest.raises(NotFound):
        await one.queue.get("other", run.run_id)
    with pytest.raises(NotFound):
        await one.queue.ended("other", run.run_id)
    assert await one.queue.list("other", run.thread_id, status=None, limit=10, offset=0) == []
    await one.queue.cancel("other", [run.run_id], "rollback")
    assert (await one.queue.get(TENANT, run.run_id)).status == "success"


async def test_a_run_that_was_put_back_and_claimed_here_again_is_stopped_like_any_other(
    one: Process, desk: Desk
) -> None:
    desk.close("a")
    run = await one.queue.admit(TENANT, new("a"))
    await desk.until(lambda: "second a" in desk.began)
    # As another process does that took this one for dead while Postgres was away.
    rows = QueueRows(one.database.pool, one.database.dsn)
    assert await rows.put_back(TENANT, run.run_id, run.thread_id, run.lease.token, counted=True)
    await desk.until(lambda: desk.began.count("second a") == 2)
    assert desk.began.count("first a") == 1
    await one.queue.cancel(TENANT, [run.run_id], "interrupt")
    assert (await ended(one, run)).status == "interrupted"
