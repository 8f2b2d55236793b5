"""One run at a time on a thread, whoever asks; a run whose process died is taken over, one that lives is not."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from server.db.pool import Database
from server.db.runs import ABANDONED, Runs
from server.db.worker import Worker, open_worker
from state.errors import BadRequest, Conflict, NotFound
from tests.integration.processes import hear, python

BEGIN = """
async with open_database(Settings(database_url=sys.argv[1])) as database, open_worker(database.dsn) as worker:
    say((await Runs(database.pool, worker).begin(UUID(sys.argv[2]), "direct", {"question": "?"})).run_id)
    wait_for_word()
"""


async def begin(runs: Runs, thread_id: UUID, graph: str, *asked: Any) -> UUID:
    return (await runs.begin(thread_id, graph, *asked)).run_id


async def test_a_run_begins_on_a_new_thread_and_finishes(runs: Runs) -> None:
    thread_id = uuid4()
    run_id = await begin(runs, thread_id, "direct", {"messages": ["hi"]}, {"model": "demo"})
    assert await runs.thread_status(thread_id) == "busy"
    await runs.finish(run_id, "success", result={"output": "hello"})
    run = await runs.get_run(run_id)
    assert (run.status, run.input, run.context, run.result) == (
        *("success", {"messages": ["hi"]}, {"model": "demo"}),
        {"output": "hello"},
    )
    assert run.started_at is not None
    assert run.finished_at is not None
    assert await runs.thread_status(thread_id) == "idle"
    assert (await runs.get_thread(thread_id)).graph_id == "direct"


async def test_a_killed_process_loses_its_run_to_the_next(runs: Runs, database: Database) -> None:
    thread_id = uuid4()
    with python(BEGIN, database.dsn, str(thread_id)) as other:
        lost = UUID(hear(other))
        with pytest.raises(Conflict, match=rf"busy with run {lost}; wait for it to end or cancel it"):
            await begin(runs, thread_id, "direct")
        assert (await runs.get_run(lost)).status == "running"
        assert await runs.last_unfinished() is None
        other.kill()
        other.wait()
    # Postgres notices on its side of the socket; it takes a moment.
    async with asyncio.timeout(10):
        while (await runs.get_run(lost)).status == "running":
            await asyncio.sleep(0.01)
    assert await runs.thread_status(thread_id) == "error"
    unfinished = await runs.last_unfinished()
    assert unfinished is not None
    assert unfinished.thread_id == thread_id
    taken = await begin(runs, thread_id, "direct")
    assert (await runs.get_run(lost)).error == ABANDONED
    assert (await runs.newest_run(thread_id)) == await runs.get_run(taken)


async def test_of_many_beginnings_on_one_thread_one_wins(runs: Runs) -> None:
    thread_id = uuid4()
    told = await asyncio.gather(*(begin(runs, thread_id, "direct") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(answer, UUID) for answer in told) == 1
    assert sum(isinstance(answer, Conflict) for answer in told) == 19


async def test_the_index_stops_double_starts_without_any_of_our_code(runs: Runs, database: Database) -> None:
    thread_id = uuid4()
    await runs.finish(await begin(runs, thread_id, "direct"), "success")

    async def start() -> bool:
        async with database.pool.connection() as connection:
            try:
                await connection.execute(
                    "INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, status, worker_id, started_at)"
                    " VALUES (%s, 'default', %s, 'direct', 'running', 1, now())",
                    (uuid4(), thread_id),
                )
            except psycopg.errors.UniqueViolation:
                return False
            return True

    assert sum(await asyncio.gather(*(start() for _ in range(20)))) == 1


async def test_a_thread_belongs_to_one_graph(runs: Runs) -> None:
    thread_id = uuid4()
    await runs.finish(await begin(runs, thread_id, "direct"), "success")
    with pytest.raises(Conflict, match="belongs to graph 'direct', not 'orchestrator'"):
        await begin(runs, thread_id, "orchestrator")


async def test_only_the_worker_that_runs_it_may_finish_and_only_once(runs: Runs, database: Database) -> None:
    run_id = await begin(runs, uuid4(), "direct")
    async with open_worker(database.dsn) as other:
        with pytest.raises(Conflict, match="not running in this process"):
            await Runs(database.pool, other).finish(run_id, "success")
    await runs.finish(run_id, "interrupted")
    with pytest.raises(Conflict):
        await runs.finish(run_id, "success")
    with pytest.raises(NotFound):
        await runs.finish(uuid4(), "success")
    assert (await runs.get_run(run_id)).status == "interrupted"


async def test_the_thread_to_resume_is_the_latest_that_did_not_succeed(runs: Runs) -> None:
    failed, interrupted, mended = uuid4(), uuid4(), uuid4()
    await runs.finish(await begin(runs, failed, "orchestrator"), "error", error="no memory")
    await runs.finish(await begin(runs, interrupted, "direct"), "interrupted")
    await runs.finish(await begin(runs, mended, "direct"), "timeout")
    await runs.finish(await begin(runs, mended, "direct"), "success")
    assert await _resumable(runs) == interrupted
    assert await _resumable(runs, "orchestrator") == failed
    assert await _resumable(runs, "crew") is None
    assert await runs.thread_status(interrupted) == "interrupted"


async def _resumable(runs: Runs, graph_id: str | None = None) -> UUID | None:
    thread = await runs.last_unfinished(graph_id)
    return None if thread is None else thread.thread_id


async def test_knowing_an_id_is_not_permission(runs: Runs, worker: Worker, database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute("INSERT INTO tenants (tenant_id) VALUES ('other')")
    theirs = Runs(database.pool, worker, tenant_id="other")
    thread_id = uuid4()
    run_id = await begin(runs, thread_id, "direct")
    for refused in (
        theirs.begin(thread_id, "direct"),
        theirs.get_thread(thread_id),
        theirs.get_run(run_id),
        theirs.finish(run_id, "error"),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await theirs.newest_run(thread_id) is None
    await runs.finish(run_id, "error")
    assert await theirs.last_unfinished() is None


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), "a\0b", "\ud800", [{"deep": "\0"}], object()])
async def test_an_input_that_would_not_come_back_is_refused_and_no_thread_is_left(runs: Runs, odd: object) -> None:
    thread_id = uuid4()
    with pytest.raises(BadRequest, match=r"^input "):
        await begin(runs, thread_id, "direct", {"x": odd})
    with pytest.raises(NotFound):
        await runs.get_thread(thread_id)


async def test_an_answer_with_odd_characters_is_kept_without_them(runs: Runs) -> None:
    run_id = await begin(runs, uuid4(), "direct", {"smile": "\U0001f600"})
    await runs.finish(run_id, "error", result={"text": "a\0b\ud800", "score": float("nan")}, error="bad\0")
    run = await runs.get_run(run_id)
    assert run.input == {"smile": "\U0001f600"}
    assert run.result == {"text": "a\ufffdb\ufffd", "score": None}
    assert run.error == "bad\ufffd"


async def test_a_worker_whose_connection_was_cut_takes_its_lock_again(runs: Runs, database: Database) -> None:
    run_id = await begin(runs, uuid4(), "direct")
    async with database.pool.connection() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    async with asyncio.timeout(10):
        while (await runs.get_run(run_id)).status == "running":
            await asyncio.sleep(0.01)
    held = await begin(runs, uuid4(), "direct")
    assert (await runs.get_run(held)).status == "running"
    # The lock is the worker's, not the run's: with it, the earlier run counts as alive again, as it is.
    assert (await runs.get_run(run_id)).status == "running"
    await runs.finish(run_id, "success")
