"""Whatever a checkpoint holds has been told: who takes a run over does not do those steps again, nor tell of them."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated
from uuid import uuid4

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from server.application.graphs import Application
from server.application.loading import Served
from server.db.connection import connect
from server.db.pool import open_database
from server.db.worker import open_worker
from server.run_queue.opening import open_queue
from server.run_queue.shapes import NewRun
from server.settings import Settings
from server.streaming.frames import frames_of

TENANT = "default"
STEPS = 60
KEPT = """
SELECT coalesce(max((metadata ->> 'step')::int), 0) AS steps,
       ARRAY(SELECT lines FROM run_events WHERE run_id = %(run)s ORDER BY first_seq) AS batches
FROM checkpoints WHERE thread_id = %(thread)s
"""
"""Checkpoints and events as one snapshot shows them: as a process would find them that takes the run over then."""


class State(TypedDict, total=False):
    count: Annotated[int, operator.add]


async def step(state: State) -> State:
    get_stream_writer()({"step": state.get("count", 0) + 1})
    # Some work: the step before is committed meanwhile.
    await asyncio.sleep(0.002)
    return {"count": 1}


def loop() -> Application:
    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: END if state["count"] >= STEPS else "step")
    return Application({"loop": Served("loop", graph.compile(), None)})


@pytest.mark.parametrize("modes", [["updates"], ["updates", "custom"], ["custom"], ["tasks"]])
async def test_no_step_is_kept_before_it_is_told(settings: Settings, modes: list[str]) -> None:
    async with (
        open_database(settings) as database,
        open_worker(database.dsn) as life,
        open_queue(loop(), database, life, works=True) as (queue, _),
        await connect(database.dsn) as looking,
    ):
        kwargs = {"input": {"count": 0}, "stream_mode": modes, "config": {"recursion_limit": STEPS + 5}}
        run = await queue.admit(TENANT, NewRun(uuid4(), "loop", kwargs, resumable=True))
        kept = 0
        async with asyncio.timeout(60):
            while kept < STEPS:
                values = {"run": run.run_id, "thread": str(run.thread_id)}
                row = await (await looking.execute(KEPT, values)).fetchone()
                assert row is not None
                kept = row["steps"]
                names = [frame.name for lines in row["batches"] for frame in frames_of(1, bytes(lines))]
                for mode in modes:
                    # Of a task there are two: its begin and its end.
                    told = names.count(mode) // (2 if mode == "tasks" else 1)
                    assert told >= kept, f"{kept} steps are kept, {told} told in mode {mode}"
            assert (await queue.ended(TENANT, run.run_id)).status == "success"
