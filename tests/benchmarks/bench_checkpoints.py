"""Runs a second of a graph of three trivial nodes, every step in Postgres: LangGraph's saver beside ours.

    python -m tests.benchmarks.bench_checkpoints [--rounds 7] [--seconds 2] [--durability async]

Both on one server with fsync on, in one process, on the event loop that the server uses, in turn, round after round.
LangGraph's saver goes over the same pool; ours once bare and once fenced by leases, as workers use it. Medians, and
ratios per round.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, TypedDict
from uuid import uuid4

import uvloop
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph

from server.db.checkpoints import SCHEMAS, StrictSerializer
from server.db.leases import Lease
from server.db.pool import Database, open_database
from server.settings import read_settings
from tests.benchmarks.rounds import Mark, print_marks, print_table, ratio

CONCURRENCIES = (1, 10, 50)
THEIRS, OURS, FENCED = "AsyncPostgresSaver, pool", "GroupedSaver", "GroupedSaver, fenced"
Run = Callable[[], Awaitable[object]]


class State(TypedDict):
    x: list[str]


def node(name: str) -> Callable[[State], Awaitable[dict[str, Any]]]:
    async def append(state: State) -> dict[str, Any]:
        return {"x": [*state["x"], name]}

    return append


def three_nodes() -> StateGraph[State]:
    builder = StateGraph(State)
    for name in "abc":
        builder.add_node(name, node(name))
    for before, after in ((START, "a"), ("a", "b"), ("b", "c"), ("c", END)):
        builder.add_edge(before, after)
    return builder


def contestants(database: Database, leases: list[Lease], durability: Any) -> dict[str, Run]:
    builder = three_nodes()
    # As the server has it: the pool asks each connection whether it lives before it hands it out.
    theirs = builder.compile(AsyncPostgresSaver(database.pool, serde=StrictSerializer(SCHEMAS)))
    ours = builder.compile(database.checkpointer)
    free = list(leases)

    async def run(graph: Any) -> None:
        config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}}
        await graph.ainvoke({"x": []}, config, durability=durability)

    async def fenced() -> None:
        lease = free.pop()
        try:
            await run(ours.copy({"checkpointer": database.checkpointer.fenced(lease)}))
        finally:
            free.append(lease)

    return {THEIRS: lambda: run(theirs), OURS: lambda: run(ours), FENCED: fenced}


async def runs_per_second(run: Run, concurrency: int, seconds: float) -> float:
    deadline = time.perf_counter() + seconds
    started, done = time.perf_counter(), 0

    async def client() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await run()
            done += 1

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return done / (time.perf_counter() - started)


async def running(database: Database, count: int) -> list[Lease]:
    """Runs that this process holds, one a thread."""
    leases = [Lease(uuid4(), token) for token in range(1, count + 1)]
    async with database.pool.connection() as connection:
        for lease in leases:
            thread_id = uuid4()
            await connection.execute("INSERT INTO threads (thread_id, tenant_id) VALUES (%s, 'default')", (thread_id,))
            await connection.execute(
                "INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, status, worker_id, lease_token, started_at)"
                " VALUES (%s, 'default', %s, 'three', 'running', 1, %s, now())",
                (lease.run_id, thread_id, lease.token),
            )
    return leases


async def main(rounds: int, seconds: float, durability: str) -> None:
    found: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with open_database(read_settings(data_dir=Path(folder) / "data", log_level="WARNING")) as database:
            known = contestants(database, await running(database, max(CONCURRENCIES)), durability)
            for run in known.values():
                await runs_per_second(run, 10, seconds / 4)  # warm
            for number in range(rounds):
                at = number % len(known)
                for concurrency in CONCURRENCIES:
                    for name in [*known][at:] + [*known][:at]:
                        rate = await runs_per_second(known[name], concurrency, seconds)
                        found.setdefault((name, concurrency), []).append(rate)
    print(f"three nodes, durability {durability}: runs/s, median of {rounds} rounds of {seconds:g} s")
    print_table(
        [("at once", *map(str, CONCURRENCIES))]
        + [(name, *(f"{median(found[name, concurrency]):.0f}" for concurrency in CONCURRENCIES)) for name in known]
    )
    print_marks(
        [
            Mark(
                f"{name} at {concurrency}", ratio(found[name, concurrency], found[THEIRS, concurrency]), "least", target
            )
            for name in (OURS, FENCED)
            for concurrency, target in zip(CONCURRENCIES, (1.2, 1.5, 2.0), strict=True)
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--durability", choices=["sync", "async", "exit"], default="async")
    arguments = parser.parse_args()
    uvloop.run(main(arguments.rounds, arguments.seconds, arguments.durability))
