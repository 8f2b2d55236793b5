"""Runs of the lab's routes in the queue: their stream, their ends, their bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from server.db.telemetry import InFlight
from server.lab import TENANT, Lab, open_lab
from server.routes.lab_asking import ended_late
from server.run_queue.shapes import Run
from server.run_request import RunRequest
from server.settings import Settings
from server.streaming.frames import END
from state.errors import BadRequest, Conflict, NotFound, TimedOut
from tests.conftest import TEMPLATE, new_database
from tests.unit.llm.tiny import save_slow_models

SUM = "What is 17 + 25?"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with new_database(postgres, TEMPLATE) as url:
        slow = save_slow_models(folder)
        settings = Settings(data_dir=folder / "data", database_url=url, offline=True, models_file=slow)
        async with open_lab(settings, works=True) as lab:
            yield lab


async def heard(lab: Lab, run: Run) -> list[tuple[int, str, dict]]:
    return [
        (frame.seq, frame.name, orjson.loads(frame.data))
        async for frames in lab.hub.read(TENANT, run, 0)
        for frame in frames
        if frame.name != END
    ]


async def test_a_run_tells_its_nodes_and_its_result_in_one_order(lab: Lab) -> None:
    run_id = uuid4()
    run = await lab.lab_runs.start(TENANT, RunRequest("orchestrator", prompt=SUM), run_id=run_id)
    ended, live = await asyncio.gather(lab.lab_runs.ended(TENANT, run), heard(lab, run))
    assert run.run_id == run_id and ended.name == "result" and "42" in ended.data["output"]
    names = [name for _, name, _ in live]
    assert names[:3] == ["metadata", "run", "node_start"] and names[-1] == "result" and names.count("result") == 1
    assert [seq for seq, _, _ in live] == list(range(1, len(live) + 1))
    # Once more, out of Postgres.
    assert await heard(lab, run) == live
    assert live[-1][2] == ended.data


async def test_what_is_wrong_is_refused_before_anything_is_written(lab: Lab) -> None:
    thread = uuid4()
    for request, kind, said in (
        (RunRequest("direct", prompt=" "), BadRequest, "empty"),
        (RunRequest("direct", prompt="a\0b"), BadRequest, "NUL"),
        (RunRequest("direct", prompt="\ud800"), BadRequest, "surrogate"),
        (RunRequest("direct", prompt="hi", context={"model": "gpt-9"}), NotFound, "gpt-9"),
        (RunRequest("nowhere", prompt="hi"), NotFound, "nowhere"),
        (RunRequest("direct", resume=True, thread_id=thread), Conflict, "nothing to resume"),
    ):
        with pytest.raises(kind, match=said):
            await lab.lab_runs.start(TENANT, request)
    assert await lab.queue_readings.in_flight() == InFlight() and not await lab.queue.has_thread(TENANT, thread)


async def test_a_thread_of_another_graph_is_refused(lab: Lab) -> None:
    run = await lab.lab_runs.start(TENANT, RunRequest("direct", prompt="Hello", context={"max_tokens": 2}))
    await lab.lab_runs.ended(TENANT, run)
    with pytest.raises(Conflict, match="belongs to graph 'direct'"):
        await lab.lab_runs.start(TENANT, RunRequest("orchestrator", prompt="Hi", thread_id=run.thread_id))


async def test_a_run_ends_at_its_bound_and_frees_its_model(lab: Lab) -> None:
    slow = RunRequest("direct", prompt="Hello", context={"model": "slow"})
    run = await lab.lab_runs.start(TENANT, slow, timeout_sec=0.5)
    with pytest.raises(TimedOut, match=r"0\.5 s; raise LAB_REQUEST_TIMEOUT"):
        await lab.lab_runs.ended(TENANT, run)
    assert (await lab.queue.get(TENANT, run.run_id)).status == "timeout"
    while any(model.leases for model in lab.models.reading().resident):
        await asyncio.sleep(0.01)
    told = await heard(lab, run)
    assert told[-1][1] == "error" and told[-1][2]["status"] == 504 and told[-1][2]["execution_id"] == str(run.run_id)


async def test_a_cancelled_run_says_so_whether_it_had_begun_or_not(lab: Lab) -> None:
    slow = {"model": "slow", "max_attempts": 1}
    run = await lab.lab_runs.start(TENANT, RunRequest("orchestrator", prompt="Hello", context=slow))
    with pytest.raises(Conflict, match=r"is already running|busy"):
        await lab.lab_runs.start(TENANT, RunRequest("orchestrator", prompt="Hi", thread_id=run.thread_id))
    assert await cut(lab, run) == []
    # The thread goes on where it was cut, with the settings it was begun with.
    again = await lab.lab_runs.start(TENANT, RunRequest("orchestrator", thread_id=run.thread_id, resume=True))
    assert await cut(lab, again) == ["execute"]
    assert [data["model"] for _, name, data in await heard(lab, again) if name == "model"] == ["slow"]


async def test_a_run_that_another_takes_the_place_of_tells_who_listens(lab: Lab) -> None:
    slow = RunRequest("direct", prompt="Hello", context={"model": "slow"})
    run = await lab.lab_runs.start(TENANT, slow)
    listening = asyncio.create_task(heard(lab, run))
    while "token" not in [frame.name for frame in lab.hub.log_of(run.run_id).after(0, written_only=True)]:  # type: ignore[union-attr]
        await asyncio.sleep(0.01)
    await lab.queue.cancel(TENANT, [run.run_id], "rollback")
    told = await listening
    assert told[-1][1] == "error" and told[-1][2]["detail"] == "the run was cancelled"


async def cut(lab: Lab, run: Run) -> list[str]:
    """Cancel a run when its model speaks; where it began."""
    told = []
    async with aclosing(lab.hub.read(TENANT, run, 0)) as read:
        async for frames in read:
            told += frames
            if any(frame.name == "token" for frame in frames):
                break
    await lab.queue.cancel(TENANT, [run.run_id], "interrupt")
    with pytest.raises(Conflict, match="cancelled"):
        await lab.lab_runs.ended(TENANT, run)
    return next(orjson.loads(frame.data)["next"] for frame in told if frame.name == "run")


async def test_a_run_that_never_began_tells_its_cancellation(postgres: str, tmp_path: Path) -> None:
    with new_database(postgres, TEMPLATE) as url:
        async with open_lab(Settings(data_dir=tmp_path, database_url=url, offline=True), works=False) as lab:
            run = await lab.lab_runs.start(TENANT, RunRequest("direct", prompt="Hello"))
            await lab.queue.cancel(TENANT, [run.run_id], "interrupt")
            told = await heard(lab, run)
            assert [name for _, name, _ in told] == ["metadata", "error"]
            assert told[-1][2]["detail"] == "the run was cancelled"
            with pytest.raises(Conflict, match="cancelled"):
                await lab.lab_runs.ended(TENANT, run)
            # Nor does its maker listen for ever.
            run = await lab.lab_runs.start(TENANT, RunRequest("direct", prompt="Hello"), timeout_sec=0.01)
            async with ended_late(lab, TENANT, run, late_seconds=0.0):
                assert [name for _, name, _ in await heard(lab, run)] == ["metadata", "error"]
