"""The registry of agents over real Postgres; two directories are two processes, each with a worker of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from nodes.agents.breaker import FAILURES, after_failure, decide
from server.agents.calls import Calls, open_calls
from server.agents.directory import Directory
from server.agents.opening import OpenedAgents, open_agents
from server.db.agent_runs import LOST, AgentRuns, Call
from server.db.agent_shapes import AgentFilter, Looked, ToCheck, as_registered
from server.db.agents import ABSENT, Agents
from server.db.pool import Database
from server.db.worker import Worker, open_worker
from server.settings import Settings
from state.agents import Breaker, NewAgent, Origin
from state.errors import BadRequest, CircuitOpen, Conflict, NotFound
from tests.integration.leases import hold

TENANT = "default"


@pytest.fixture
def agents(database: Database) -> Agents:
    return Agents(database.pool, database.dsn)


@pytest.fixture
def agent_runs(database: Database) -> AgentRuns:
    return AgentRuns(database.pool, database.dsn)


def new(agent_id: str = "a", *capabilities: str, **fields: Any) -> NewAgent:
    return NewAgent(agent_id=agent_id, capabilities=capabilities, **{"agent_class": "ChatAgent", **fields})


async def sql(database: Database, statement: str, **values: Any) -> list[dict[str, Any]]:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


async def until(holds: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `holds` gives once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await holds()):
            await asyncio.sleep(0.01)
        return found


async def test_an_agent_is_kept_whole_and_replaced_under_its_id(agents: Agents, database: Database) -> None:
    first = new(
        "zoe", "chat", "chat", "planning",
        name="Zoe", description="é ✓", agent_type="input", endpoint="http://agent.example/zoe/",
        config={"deep": [{"er": None}]}, tools=("calculator",), system_prompt="Be kind.", metadata={"team": 1},
        api_key=SecretStr("s3cret"),
    )  # fmt: skip
    assert await agents.register(TENANT, first)
    found = await agents.get(TENANT, "zoe")
    assert found is not None and found.endpoint == "http://agent.example/zoe"
    assert (found.name, found.capabilities, found.config) == ("Zoe", ("chat", "planning"), {"deep": [{"er": None}]})
    assert (found.status, found.health, found.origin, found.message_count) == ("idle", "unknown", "api", 0)
    assert found.api_key == SecretStr("s3cret") and "s3cret" not in repr(found)
    await sql(database, "UPDATE agents SET message_count = 7, failures = 2, health = 'healthy', enabled = false")

    assert not await agents.register(TENANT, new("zoe", endpoint="http://agent.example/zoe"))
    again = await agents.get(TENANT, "zoe")
    assert again is not None and (again.name, again.capabilities, again.enabled) == ("zoe", (), False)
    assert (again.message_count, again.breaker.failures, again.health) == (7, 2, "healthy")
    assert again.api_key == SecretStr("s3cret"), "a key that is not named again stays"

    assert not await agents.register(TENANT, new("zoe", endpoint="http://other.example"))
    moved = await agents.get(TENANT, "zoe")
    assert moved is not None and moved.api_key is None, "a key must not follow to another address"
    assert (moved.health, moved.breaker.failures, moved.message_count) == ("unknown", 0, 7)
    assert await agents.get("another", "zoe") is None


async def test_what_postgres_cannot_keep_is_refused(agents: Agents) -> None:
    for odd in (
        {"config": {"x": "\0"}}, {"metadata": {"x": float("nan")}}, {"config": {"\ud800": 1}},
        {"api_key": SecretStr("a\0")},
    ):  # fmt: skip
        with pytest.raises(BadRequest):
            await agents.register(TENANT, new("odd", **odd))
    assert await agents.ids(TENANT) == []


async def test_an_agent_whose_class_has_left_the_folder_is_offline_until_it_is_back(agents: Agents) -> None:
    one: list[tuple[NewAgent, Origin]] = [(new("writer"), "builtin"), (new("own", "x"), "folder")]
    await agents.refresh(TENANT, one, whole_folder=True)
    await agents.refresh(TENANT, one[:1])
    own = await agents.get(TENANT, "own")
    assert own is not None and own.status == "idle", "a process that does not look at the folder says nothing of it"
    await agents.refresh(TENANT, one[:1], whole_folder=True)
    own = await agents.get(TENANT, "own")
    assert own is not None and (own.status, own.health_error) == ("offline", ABSENT)
    await agents.refresh(TENANT, one, whole_folder=True)
    own = await agents.get(TENANT, "own")
    assert own is not None and (own.status, own.health_error) == ("idle", None)


async def test_agents_that_come_with_the_server_are_refreshed_and_stay_switched_off(
    agents: Agents, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await agents.register(TENANT, new("mine", "chat"))
    shipped = [(new("writer", "writing"), "builtin"), (new("mine"), "builtin"), (new("own", "x"), "folder")]
    await agents.refresh(TENANT, shipped)  # type: ignore[arg-type]
    assert "'mine'" in caplog.text
    await agents.set_enabled(TENANT, "writer", False)
    (before,) = await sql(database, "SELECT xmin, updated_at FROM agents WHERE agent_id = 'own'")
    await agents.refresh(TENANT, [(new("writer", "writing", "prose"), "builtin"), (new("own", "x"), "folder")])
    writer, mine = await agents.get(TENANT, "writer"), await agents.get(TENANT, "mine")
    assert writer is not None and (writer.capabilities, writer.status) == (("writing", "prose"), "inactive")
    assert mine is not None and (mine.origin, mine.capabilities) == ("api", ("chat",))
    assert await sql(database, "SELECT xmin, updated_at FROM agents WHERE agent_id = 'own'") == [before], "not written"

    with pytest.raises(Conflict, match="'writer' comes with this server"):
        await agents.register(TENANT, new("writer"))
    with pytest.raises(Conflict, match="only `enabled`"):
        await agents.change(TENANT, "writer", lambda one: as_registered(one).model_copy(update={"name": "n"}))
    assert await agents.change(TENANT, "writer", as_registered, enabled=True)
    assert not await agents.change(TENANT, "nobody", as_registered)
    assert not await agents.delete(TENANT, "writer") and await agents.delete(TENANT, "own")
    assert await agents.ids(TENANT) == ["mine", "writer"]


async def test_agents_are_found_by_what_they_can_and_listed_in_pages(agents: Agents, database: Database) -> None:
    for index in range(5):
        await agents.register(TENANT, new(f"a{index}", "chat", *["odd"] * (index % 2), agent_type=f"t{index % 2}"))
    await agents.set_enabled(TENANT, "a0", False)
    await sql(database, "UPDATE agents SET health = 'unhealthy' WHERE agent_id = 'a1'")

    async def listed(limit: int = 10, offset: int = 0, **wanted: Any) -> tuple[str, int]:
        found, total = await agents.search(TENANT, AgentFilter(**wanted), limit=limit, offset=offset)
        return " ".join(one.agent_id for one in found), total

    assert await listed() == ("a0 a1 a2 a3 a4", 5)
    assert await listed(2, 2) == ("a2 a3", 5)
    assert await listed(capability="odd") == ("a1 a3", 2)
    assert await listed(capability="o") == ("", 0)
    assert await listed(agent_type="t0", status="active") == ("a2 a4", 2)
    assert [(await listed(status=status))[0] for status in ("inactive", "offline", "idle", "busy")] == [
        "a0", "a1", "a2 a3 a4", "",
    ]  # fmt: skip
    assert await listed(origin="builtin") == ("", 0) and await listed(2, 6) == ("", 5)
    assert await agents.capabilities(TENANT) == {"chat": ["a1", "a2", "a3", "a4"], "odd": ["a1", "a3"]}
    assert await agents.types(TENANT) == {"t0": 3, "t1": 2}
    assert await agents.count_by_status(TENANT) == {"inactive": 1, "offline": 1, "idle": 3}
    assert await agents.enabled(TENANT, ["a0", "a2", "nobody"]) == ["a2"]
    await agents.register(TENANT, new("nowhere", "odd", agent_class="HttpAgent"))
    await agents.register(TENANT, new("there", "odd", agent_class="HttpAgent", endpoint="http://a.example/x"))

    async def found(**wanted: str | None) -> str:
        asked = {"capability": None, "endpoint": None, **wanted}
        return " ".join(one.agent_id for one in await agents.find(TENANT, **asked))

    assert await found(capability="odd") == "a3 there a1", "what can be called, what is ill at the end"
    assert await found(endpoint="http://a.example/x/") == "there"
    await agents.set_enabled(TENANT, "there", False)
    await agents.register(TENANT, new("twin", agent_class="HttpAgent", endpoint="http://a.example/x"))
    assert await found(endpoint="http://a.example/x") == "twin there", "what is switched off there is known, too"
    assert await found(capability="odd") == "a3 a1" and await found(capability="\0") == ""
    assert await agents.get(TENANT, "a\0") is None
    assert await agents.find("another", capability="odd", endpoint=None) == []


async def test_the_least_busy_of_all_processes_is_chosen(
    agents: Agents, agent_runs: AgentRuns, database: Database, worker: Worker
) -> None:
    for name in ("a", "b", "c"):
        await agents.register(TENANT, new(name, "chat"))
    directory = Directory(agents, TENANT)

    async def order() -> str:
        return " ".join(one.agent_id for one in await directory.find(capability="chat"))

    async with open_worker(database.dsn) as other, open_calls(agent_runs, TENANT, worker.id) as here:
        async with open_calls(agent_runs, TENANT, other.id) as there:
            first, second = begin(here, "a"), begin(there, "b")
            await here.flush()
            await there.flush()
            assert await order() == "c a b"
            busy = await directory.get("a")
            assert (busy.status, busy.running, busy.message_count) == ("busy", 1, 1)
            begin(there, "a")
            await there.flush()
            assert await order() == "c b a"
            here.end(first)
            there.end(second, error="it broke")
            await asyncio.gather(here.flush(), there.flush())
            assert await order() == "c b a", "one of a's calls is left"
        assert (await directory.get("a")).status == "idle"
        begin(here, "a", registered=False)
        await here.flush()
        own = await directory.get("a")
        assert (own.status, own.message_count) == ("idle", 2), "a crew's own agent of this id is another one"
    figures = {one.agent_id: one for one in await agent_runs.figures(TENANT)}
    assert (figures["a"].calls, figures["a"].completed, figures["a"].failed) == (3, 1, 2)
    assert figures["b"].success_rate == 0.0 and figures["a"].p50_seconds is not None


def begin(
    calls: Calls,
    agent_id: str = "a",
    *,
    run_id: UUID | None = None,
    step: str = "s",
    attempt: int = 1,
    registered: bool = True,
) -> UUID:
    return calls.begin(
        run_id=run_id,
        step=step,
        agent_id=agent_id,
        agent_name=agent_id,
        agent_class="Http",
        attempt=attempt,
        registered=registered,
    )


async def test_steps_that_ask_at_once_do_not_all_choose_the_same(
    agents: Agents, agent_runs: AgentRuns, worker: Worker
) -> None:
    for name in ("a", "b", "c"):
        await agents.register(TENANT, new(name, "chat"))
    calls = Calls(agent_runs, TENANT, worker.id)
    directory = Directory(agents, TENANT, calls.unwritten)

    async def step() -> str:
        chosen = (await directory.find(capability="chat"))[0].agent_id
        begin(calls, chosen)
        return chosen

    assert sorted(await asyncio.gather(*(step() for _ in range(6)))) == ["a", "a", "b", "b", "c", "c"]
    await calls.flush()
    assert calls.unwritten() == {}


async def test_calls_are_kept_with_their_run_and_closed_where_another_worker_goes_on(
    agents: Agents, agent_runs: AgentRuns, database: Database, worker: Worker
) -> None:
    await agents.register(TENANT, new("a"))
    run_id, deleted = (await hold(database.pool)).run_id, uuid4()
    gone = Calls(agent_runs, TENANT, 1)  # no worker of this id lives
    gone_calls = [begin(gone, run_id=run_id), begin(gone, run_id=run_id, step="other")]
    await gone.flush()
    abandoned = await agents.get(TENANT, "a")
    assert abandoned is not None and abandoned.status == "idle", "who is dead keeps nobody busy"
    calls = Calls(agent_runs, TENANT, worker.id)
    again = begin(calls, run_id=run_id, attempt=2)
    lost = begin(calls, run_id=deleted)
    await calls.flush()
    rows = await sql(database, "SELECT step, attempt, status, error FROM agent_runs ORDER BY agent_run_id")
    assert [tuple(row.values()) for row in rows] == [
        ("s", 1, "failed", LOST), ("other", 1, "running", None), ("s", 2, "running", None),
    ]  # fmt: skip
    gone.end(gone_calls[0], error="the lease is lost")
    await gone.flush()
    (newer,) = await sql(database, "SELECT status FROM agent_runs WHERE attempt = 2")
    assert newer == {"status": "running"}, "whoever lost the step takes it from nobody"
    calls.end(again, input_tokens=3, output_tokens=2)
    calls.end(lost)
    calls.end(again, error="said twice")
    await calls.flush()
    told = await agent_runs.of_run(TENANT, run_id)
    assert [(call.step, call.status, call.error) for call in told] == [
        ("s", "failed", "the lease is lost"), ("other", "failed", LOST), ("s", "completed", None),
    ]  # fmt: skip
    assert (told[2].input_tokens, told[2].output_tokens) == (3, 2) and told[2].seconds is not None
    counted = await agents.get(TENANT, "a")
    assert counted is not None and counted.message_count == 3, "each call once; that of a deleted run not at all"
    await agent_runs.close_lost()
    assert await sql(database, "SELECT 1 FROM agent_runs WHERE status = 'running'") == []
    await sql(database, "DELETE FROM runs")
    assert await agent_runs.of_run(TENANT, run_id) == []


async def test_a_batch_may_come_twice_and_an_end_is_not_undone(
    agents: Agents, agent_runs: AgentRuns, worker: Worker
) -> None:
    await agents.register(TENANT, new("a"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    call = Call(uuid4(), None, "s", "a", "A", "Http", 1, start)
    ended = replace(call, status="completed", ended_at=start + timedelta(seconds=2), output_tokens=5)
    for batch in ([ended], [call], [ended]):
        await agent_runs.write(TENANT, worker.id, batch)
    (figures,) = await agent_runs.figures(TENANT)
    assert (figures.calls, figures.completed, figures.running, figures.output_tokens) == (1, 1, 0, 5)
    assert figures.p95_seconds == figures.mean_seconds == 2.0
    found = await agents.get(TENANT, "a")
    assert found is not None and found.message_count == 1
    await agent_runs.forget(days=36_500)
    assert len(await agent_runs.figures(TENANT)) == 1
    await agent_runs.forget(days=1)
    assert await agent_runs.figures(TENANT, since=start - timedelta(days=1)) == []


async def test_calls_of_two_processes_at_once_are_all_counted(
    agents: Agents, agent_runs: AgentRuns, database: Database, worker: Worker
) -> None:
    names = [f"a{index}" for index in range(8)]
    for name in names:
        await agents.register(TENANT, new(name))
    processes = [Calls(agent_runs, TENANT, worker.id + index) for index in range(3)]
    for _ in range(5):
        for index, calls in enumerate(processes):
            for name in names if index % 2 else reversed(names):
                calls.end(begin(calls, name))
        await asyncio.gather(*(calls.flush() for calls in processes))
    assert {row["message_count"] for row in await sql(database, "SELECT message_count FROM agents")} == {15}


async def test_nobody_waits_for_a_row_that_somebody_else_is_writing(
    agents: Agents, agent_runs: AgentRuns, database: Database, worker: Worker
) -> None:
    """Who locks rows of calls and then of agents, and who locks them the other way round, would wait for each other."""
    await agents.register(TENANT, new("a"))
    run_id = (await hold(database.pool)).run_id
    gone = Calls(agent_runs, TENANT, 1)
    begin(gone, run_id=run_id)
    await gone.flush()
    await sql(database, "UPDATE agents SET heartbeat_at = now() - interval '100 s'")
    calls = Calls(agent_runs, TENANT, worker.id)
    begin(calls, "unknown", run_id=run_id)
    async with asyncio.timeout(10), database.pool.connection() as other, other.transaction():
        await other.execute("SELECT 1 FROM agents, agent_runs FOR UPDATE OF agents, agent_runs")
        assert await agents.note_silence(90) == []
        await agent_runs.close_lost()
        await calls.flush()
    assert await agents.note_silence(90) == ["a"]
    await agent_runs.close_lost()
    assert [call.status for call in await agent_runs.of_run(TENANT, run_id)] == ["failed", "running"]


async def test_the_breaker_in_postgres_follows_the_rules(agents: Agents, database: Database) -> None:
    """Every kind of state, asked of both; Postgres' clock moves on between, by far less than the ages used here."""
    await agents.register(TENANT, new("a"))
    ages = (None, timedelta(seconds=-60), timedelta(seconds=60))
    for failures, opened, probed in product((0, FAILURES - 2, FAILURES - 1, FAILURES), ages, ages):
        now = datetime.now(UTC)
        moments = {"o": None if opened is None else now + opened, "p": None if probed is None else now + probed}
        if opened is None and probed is not None:
            continue
        breaker = Breaker(failures, moments["o"], moments["p"])
        put = "UPDATE agents SET failures = %(f)s, open_until = %(o)s, probe_until = %(p)s"
        await sql(database, put, f=failures, **moments)
        try:
            await agents.may_call(TENANT, "a")
            verdict = "passed"
        except CircuitOpen:
            verdict = "open"
        assert (verdict == "open") == (decide(breaker, now) == "open"), breaker
        await sql(database, put, f=failures, **moments)
        await agents.failed(TENANT, "a")
        record, wanted = await agents.get(TENANT, "a"), after_failure(breaker, now)
        assert record is not None and record.breaker.failures == wanted.failures
        for told, meant in (
            (record.breaker.open_until, wanted.open_until), (record.breaker.probe_until, wanted.probe_until),
        ):  # fmt: skip
            assert (told is None) == (meant is None), breaker
            assert told is None or meant is None or abs(told - meant) < timedelta(seconds=20), breaker


async def test_half_open_one_caller_of_all_processes_tries(agents: Agents, database: Database) -> None:
    await agents.register(TENANT, new("a"))
    processes = [Directory(Agents(database.pool, database.dsn), TENANT) for _ in range(2)]
    for directory in (*processes, *processes, processes[0]):
        await directory.may_call("a")
        await directory.failed("a", "it broke")
    for directory in processes:
        with pytest.raises(CircuitOpen, match="agent 'a' rests after 5 failures"):
            await directory.may_call("a")

    async def over() -> list[bool]:
        await sql(database, "UPDATE agents SET open_until = now() - interval '1 s'")

        async def tries(directory: Directory) -> bool:
            try:
                await directory.may_call("a")
            except CircuitOpen:
                return False
            return True

        return await asyncio.gather(*(tries(directory) for directory in processes * 4))

    assert sum(await over()) == 1
    await processes[0].failed("a", "again")
    with pytest.raises(CircuitOpen, match="6 failures"):
        await processes[1].may_call("a")
    assert sum(await over()) == 1
    await processes[1].gave_up("a")
    await processes[0].may_call("a")
    with pytest.raises(CircuitOpen):
        await processes[1].may_call("a")
    await processes[1].succeeded("a")
    await asyncio.gather(*(directory.may_call("a") for directory in processes * 4))
    assert (await processes[0].get("a")).breaker == Breaker()


async def test_who_waits_while_another_ones_answer_closes_the_breaker_may_call(
    agents: Agents, database: Database
) -> None:
    await agents.register(TENANT, new("a"))
    await sql(database, "UPDATE agents SET failures = 5, open_until = now() - interval '1 s'")

    async def waits() -> Any:
        return await sql(database, "SELECT 1 FROM pg_locks WHERE NOT granted")

    async with database.pool.connection() as other, other.transaction():
        await other.execute("UPDATE agents SET failures = 0, open_until = NULL")
        asked = asyncio.create_task(agents.may_call(TENANT, "a"))
        await until(waits)
    await asked


async def test_health_and_breaker_are_two_things_and_an_answer_heals_both(agents: Agents, database: Database) -> None:
    await agents.register(TENANT, new("a", endpoint="http://a.example"))
    directory, look = Directory(agents, TENANT), ToCheck(TENANT, "a", "http://a.example")
    for _ in range(FAILURES):
        await directory.failed("a", "it broke")
    await agents.record_health(look, Looked("unhealthy", "connection refused"))
    offline = await directory.get("a")
    assert (offline.status, offline.healthy, offline.health_error) == ("offline", False, "connection refused")
    await agents.record_health(look, Looked("healthy", None, 0.25))
    idle = await directory.get("a")
    assert (idle.status, idle.health_seconds, idle.breaker.failures) == ("idle", 0.25, FAILURES)
    await agents.record_health(look, Looked("unhealthy", "503"))
    await agents.record_health(replace(look, endpoint="http://elsewhere.example"), Looked("healthy"))
    assert (await directory.get("a")).status == "offline", "what was seen elsewhere says nothing"
    await directory.succeeded("a")
    well = await directory.get("a")
    assert (well.status, well.health_error, well.breaker) == ("idle", None, Breaker())
    for back in (agents.heartbeat(TENANT, "a"), agents.register(TENANT, new("a", endpoint="http://a.example"))):
        await agents.record_health(look, Looked("unhealthy", "503"))
        await sql(database, "UPDATE agents SET check_due_at = now() + interval '1 h'")
        await back
        returned = await directory.get("a")
        assert (returned.health, returned.health_error, returned.status) == ("unknown", None, "idle")
        assert [one.agent_id for one in await agents.claim_checks(5, 60.0)] == ["a"], "it is looked at now"


async def test_an_agent_that_is_not_there_is_told_with_those_that_are_like_it(agents: Agents) -> None:
    directory = Directory(agents, TENANT)
    with pytest.raises(NotFound, match="there is no agent 'writer'; none is registered"):
        await directory.get("writer")
    for name in ("writer", "researcher"):
        await agents.register(TENANT, new(name))
    with pytest.raises(NotFound, match=r"'writter'; did you mean: writer\?"):
        await directory.get("writter")
    assert await directory.find(capability="nothing") == []


async def test_heartbeats_say_that_an_agent_without_an_address_lives(agents: Agents, database: Database) -> None:
    for name in ("silent", "beating", "quiet"):
        await agents.register(TENANT, new(name))
    await agents.register(TENANT, new("remote", endpoint="http://a.example"))
    assert await agents.heartbeat(TENANT, "nobody") is None
    for name in ("silent", "beating", "remote"):
        assert await agents.heartbeat(TENANT, name) is not None
    await sql(database, "UPDATE agents SET heartbeat_at = now() - interval '100 s' WHERE agent_id <> 'beating'")
    await sql(database, "UPDATE agents SET heartbeat_at = NULL WHERE agent_id = 'quiet'")
    assert await agents.note_silence(90) == ["silent"]
    assert await agents.note_silence(90) == [], "told once"
    healths = {row["agent_id"]: row["health"] for row in await sql(database, "SELECT agent_id, health FROM agents")}
    assert healths == {"silent": "unhealthy", "beating": "healthy", "quiet": "unknown", "remote": "unknown"}
    await agents.heartbeat(TENANT, "silent")
    back = await agents.get(TENANT, "silent")
    assert back is not None and (back.status, back.health_error) == ("idle", None)


@dataclass
class Field:
    """What agents answer to their health checks, by host; and what they were asked."""

    answers: dict[str, int | Exception]
    asked: list[str]

    def client(self, timeout: float) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append(str(request.url))
            said = self.answers[request.url.host]
            if isinstance(said, Exception):
                raise said
            return httpx.Response(said)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer), timeout=timeout)


@pytest.fixture
async def processes(database: Database, settings: Settings) -> AsyncIterator[tuple[Field, OpenedAgents, OpenedAgents]]:
    """Two processes that look at each agent every ten seconds, and at once where it is due."""
    field = Field({}, [])
    often = settings.model_copy(update={"health_interval": 10.0})
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            worker = await stack.enter_async_context(open_worker(database.dsn))
            context = open_agents(database, worker, often, TENANT, http=field.client)
            opened.append(await stack.enter_async_context(context))
        yield field, opened[0], opened[1]


async def test_pollers_share_the_work_and_see_agents_go_and_come_back(
    processes: tuple[Field, OpenedAgents, OpenedAgents], database: Database
) -> None:
    field, one, other = processes
    field.answers |= {
        "well.example": 200, "plain.example": 404, "ill.example": 503, "away.example": httpx.ConnectError("refused"),
        "kept.example": BadRequest("agent address blocked: loopback IP range"),
    }  # fmt: skip
    for host in field.answers:
        await one.agents.register(TENANT, new(host.partition(".")[0], endpoint=f"http://{host}/v1"))
    await one.agents.register(TENANT, new("off", endpoint="http://off.example"))
    await one.agents.set_enabled(TENANT, "off", False)

    async def states() -> dict[str, str | None]:
        found, _ = await other.agents.search(TENANT, AgentFilter(), limit=10)
        return {agent.agent_id: agent.health_error or agent.health for agent in found}

    async def all_looked_at() -> dict[str, str | None]:
        told = await states()
        return told if [*told.values()].count("unknown") == 1 else {}

    assert await until(all_looked_at) == {
        "away": "its health check failed: ConnectError: refused",
        "ill": "its health check answered 503",
        "kept": "agent address blocked: loopback IP range",
        "off": "unknown",
        "plain": "healthy",
        "well": "healthy",
    }
    assert sorted(field.asked) == sorted(set(field.asked)), "each was asked by one process only"
    assert "http://well.example/v1/health" in field.asked
    field.answers["away.example"], field.answers["well.example"] = 200, httpx.ReadTimeout("slow")
    await sql(database, "UPDATE agents SET check_due_at = now()")

    async def changed() -> bool:
        told = await states()
        return told["away"] == "healthy" and told["well"] == "no answer to its health check within 5 s"

    await until(changed)
    assert (await one.poller.check(ToCheck(TENANT, "ill", "http://ill.example/v1"))).health == "unhealthy"
