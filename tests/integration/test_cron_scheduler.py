"""Crons over real Postgres, with several schedulers and a clock in the hands of the test."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from server.application.graphs import Application
from server.db.assistants import Assistants, GraphLabel, system_id
from server.db.crons import Cron, CronFilter, Crons
from server.db.pool import Database
from server.db.threads import NewThread, Threads
from server.db.worker import Worker
from server.lab import cron_runs
from server.run_queue.crons import CronScheduler
from server.run_queue.opening import open_queue
from server.run_queue.queue import RunQueue
from server.run_queue.shapes import NewRun, Run
from server.wire.crons import changed_cron, new_cron
from state.errors import NoDatabase

TENANT = "default"
START = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """What a test of crons needs at hand."""

    database: Database
    crons: Crons
    queue: RunQueue
    assistants: Assistants
    clock: Clock

    def scheduler(self, clock: Clock | None = None) -> CronScheduler:
        return CronScheduler(self.crons, self.queue, cron_runs(self.assistants), clock or self.clock)

    async def add(self, schedule: str = "* * * * *", thread_id: UUID | None = None, **body: Any) -> Cron:
        asked = {"assistant_id": "echo", "schedule": schedule, **body}
        return await self.crons.create(new_cron(TENANT, asked, system_id("echo"), thread_id, self.clock.now))

    async def again(self, cron: Cron) -> Cron:
        found = await self.crons.get(TENANT, cron.cron_id)
        assert found is not None
        return found

    async def thread(self) -> UUID:
        thread_id = uuid4()
        await Threads(self.database.pool, self.database.dsn).create(TENANT, NewThread(thread_id))
        return thread_id

    async def runs(self) -> list[Mapping[str, Any]]:
        async with self.database.pool.connection() as connection:
            return await (await connection.execute("SELECT * FROM runs ORDER BY seq")).fetchall()


@pytest.fixture
async def desk(database: Database, worker: Worker) -> AsyncIterator[Desk]:
    assistants = Assistants(database.pool, database.dsn, ["echo"])
    await assistants.ensure_system(TENANT, [GraphLabel("echo", "echo")])
    async with open_queue(Application({}), database, worker, works=False) as (queue, _):
        yield Desk(database, Crons(database.pool, database.dsn), queue, assistants, Clock())


async def test_a_due_cron_starts_a_run_of_its_assistant(desk: Desk) -> None:
    cron = await desk.add(input={"x": 1}, metadata={"m": 1}, config={"configurable": {"w": 2}}, durability="exit")
    assert await desk.scheduler().start_due() == []
    desk.clock.now += MINUTE
    (run,) = await desk.scheduler().start_due()
    assert (run.assistant_id, run.graph_id, run.status) == (system_id("echo"), "echo", "pending")
    assert run.kwargs["input"] == {"x": 1} and run.kwargs["durability"] == "exit"
    assert run.kwargs["config"]["configurable"]["w"] == 2
    assert run.kwargs["config"]["configurable"]["cron_id"] == str(cron.cron_id)
    assert run.metadata["m"] == 1
    assert (await desk.again(cron)).next_run_date == datetime(2026, 3, 1, 12, 2, tzinfo=UTC)


async def test_a_context_reaches_the_run_as_it_was_given(desk: Desk) -> None:
    await desk.add(context={"user": "me"})
    desk.clock.now += MINUTE
    (run,) = await desk.scheduler().start_due()
    assert run.kwargs["context"] == {"user": "me"}


@pytest.mark.parametrize("schedulers", [2, 5])
async def test_each_tick_is_started_once_by_all_schedulers_together(desk: Desk, schedulers: int) -> None:
    crons = [await desk.add() for _ in range(4)]
    # Clocks that do not agree: each scheduler has its own, up to two seconds apart.
    clocks = [Clock(START + timedelta(milliseconds=400 * n)) for n in range(schedulers)]
    those = [desk.scheduler(clock) for clock in clocks]
    for _ in range(40):
        for clock in clocks:
            clock.now += timedelta(seconds=15)
        await asyncio.gather(*(scheduler.start_due() for scheduler in those))
    for clock in clocks:
        clock.now = clocks[-1].now
    await those[0].start_due()
    ticks = Counter(run["kwargs"]["config"]["configurable"]["cron_id"] for run in await desk.runs())
    assert ticks == {str(cron.cron_id): 10 for cron in crons}


async def test_ticks_that_nobody_saw_are_started_once_together(desk: Desk) -> None:
    cron = await desk.add()
    desk.clock.now += timedelta(hours=5)
    assert len(await desk.scheduler().start_due()) == 1
    assert await desk.scheduler().start_due() == []
    assert (await desk.again(cron)).next_run_date == datetime(2026, 3, 1, 17, 1, tzinfo=UTC)


async def test_nothing_starts_after_the_end(desk: Desk) -> None:
    cron = await desk.add(end_time="2026-03-01T12:02:30Z")
    past = await desk.add(end_time="2020-01-01T00:00:00Z")
    for _ in range(6):
        desk.clock.now += MINUTE
        await desk.scheduler().start_due()
    assert len(await desk.runs()) == 2
    assert (await desk.again(cron)).next_run_date is None and (await desk.again(cron)).enabled
    assert (await desk.again(past)).enabled


async def test_an_end_that_is_taken_away_lets_it_go_on(desk: Desk) -> None:
    cron = await desk.add(end_time="2026-03-01T12:01:30Z")
    desk.clock.now += 3 * MINUTE
    assert len(await desk.scheduler().start_due()) == 1
    await desk.crons.change(TENANT, cron.cron_id, lambda kept: changed_cron(kept, {"end_time": None}, desk.clock.now))
    desk.clock.now += MINUTE
    assert len(await desk.scheduler().start_due()) == 1


async def test_a_disabled_cron_rests_and_catches_nothing_up(desk: Desk) -> None:
    cron = await desk.add(enabled=False)
    desk.clock.now += 10 * MINUTE
    assert await desk.scheduler().start_due() == []
    await desk.crons.change(TENANT, cron.cron_id, lambda kept: changed_cron(kept, {"enabled": True}, desk.clock.now))
    assert await desk.scheduler().start_due() == []
    desk.clock.now += MINUTE
    assert len(await desk.scheduler().start_due()) == 1


@pytest.mark.parametrize(
    ("asked", "temporary"), [({}, True), ({"on_run_completed": "delete"}, True), ({"on_run_completed": "keep"}, False)]
)
async def test_a_run_without_thread_gets_one_that_stays_or_goes(
    desk: Desk, asked: dict[str, Any], temporary: bool
) -> None:
    await desk.add(**asked)
    for _ in range(2):
        desk.clock.now += MINUTE
        (run,) = await desk.scheduler().start_due()
        assert run.temporary == temporary
    assert len({run["thread_id"] for run in await desk.runs()}) == 2


async def test_a_cron_of_a_thread_starts_there_and_waits_its_turn(desk: Desk) -> None:
    thread_id = await desk.thread()
    await desk.add(thread_id=thread_id, on_run_completed="delete")
    for _ in range(2):
        desk.clock.now += MINUTE
        (run,) = await desk.scheduler().start_due()
        assert (run.thread_id, run.temporary, run.multitask_strategy) == (thread_id, False, "enqueue")


async def test_a_tick_on_a_busy_thread_is_passed_over_where_runs_are_rejected(desk: Desk) -> None:
    thread_id = await desk.thread()
    cron = await desk.add(thread_id=thread_id, multitask_strategy="reject")
    desk.clock.now += MINUTE
    assert len(await desk.scheduler().start_due()) == 1
    desk.clock.now += MINUTE
    assert await desk.scheduler().start_due() == []
    assert (await desk.again(cron)).next_run_date == datetime(2026, 3, 1, 12, 3, tzinfo=UTC)
    assert (await desk.again(cron)).enabled and len(await desk.runs()) == 1


async def test_a_cron_whose_assistant_cannot_be_found_is_disabled(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    cron, other = await desk.add(), await desk.add()
    desk.clock.now += MINUTE

    async def prepare(tenant: str, body: Mapping[str, Any], thread_id: UUID | None) -> NewRun:
        gone = body["metadata"] == {"gone": True}
        return await cron_runs(desk.assistants)(tenant, {**body, "assistant_id": "gone" if gone else "echo"}, thread_id)

    await desk.crons.change(TENANT, cron.cron_id, lambda kept: changed_cron(kept, {"metadata": {"gone": True}}, START))
    with caplog.at_level(logging.WARNING):
        started = await CronScheduler(desk.crons, desk.queue, prepare, desk.clock).start_due()
    assert [run.kwargs["config"]["configurable"]["cron_id"] for run in started] == [str(other.cron_id)]
    assert not (await desk.again(cron)).enabled
    assert f"cron {cron.cron_id} is disabled" in caplog.text


async def test_a_cron_that_was_changed_meanwhile_is_looked_at_again(desk: Desk) -> None:
    cron = await desk.add()
    desk.clock.now += MINUTE

    async def prepare(tenant: str, body: Mapping[str, Any], thread_id: UUID | None) -> NewRun:
        change = {"enabled": False}
        await desk.crons.change(TENANT, cron.cron_id, lambda kept: changed_cron(kept, change, desk.clock.now))
        return await cron_runs(desk.assistants)(tenant, body, thread_id)

    assert await CronScheduler(desk.crons, desk.queue, prepare, desk.clock).start_due() == []
    assert await desk.runs() == []


async def test_a_tick_that_could_not_be_admitted_is_not_lost(desk: Desk) -> None:
    await desk.add()
    desk.clock.now += MINUTE

    class Absent:
        async def admit(self, tenant: str, new: NewRun, connection: object = None) -> Run:
            await desk.queue.admit(tenant, new, connection)  # type: ignore[arg-type]
            raise NoDatabase("it went away before the commit")

        def wake(self) -> None: ...

    with pytest.raises(NoDatabase):
        await CronScheduler(desk.crons, Absent(), cron_runs(desk.assistants), desk.clock).start_due()
    assert await desk.runs() == []
    assert len(await desk.scheduler().start_due()) == 1


async def test_what_a_body_holds_besides_its_schema_does_not_move_the_run(desk: Desk) -> None:
    await desk.add(thread_id=None, after_seconds=9999, checkpoint_id=str(uuid4()), command={"resume": 1}, user_id="x")
    desk.clock.now += MINUTE
    (run,) = await desk.scheduler().start_due()
    assert run.kwargs["command"] is None and "checkpoint" not in run.kwargs
    assert run.kwargs["config"]["configurable"]["__after_seconds__"] == 0


async def test_a_running_scheduler_starts_what_is_due_and_ends_when_told(desk: Desk) -> None:
    cron = await desk.add()
    desk.clock.now += MINUTE
    async with desk.scheduler().running(), asyncio.timeout(20):
        while (await desk.again(cron)).next_run_date == cron.next_run_date:
            await asyncio.sleep(0.01)
    assert len(await desk.runs()) == 1


async def test_tenants_do_not_see_each_others_crons(desk: Desk) -> None:
    cron = await desk.add(metadata={"m": 1})
    assert await desk.crons.get("other", cron.cron_id) is None
    assert await desk.crons.count("other", CronFilter()) == 0
    found = await desk.crons.search(
        "other", CronFilter(metadata={"m": 1}), sort_by="created_at", descending=True, limit=9, offset=0
    )
    assert found == []
    assert not await desk.crons.delete("other", cron.cron_id)
    assert await desk.crons.change("other", cron.cron_id, lambda kept: kept) is None
    assert await desk.again(cron) == cron
