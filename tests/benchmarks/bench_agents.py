"""What an agent costs beside its own work: crews whose agents answer at once, beside bare LangGraph nodes.

    python -m tests.benchmarks.bench_agents [--rounds 15] [--runs 10]

All on one Postgres with fsync on and our saver, as a server has it: calls are logged, breakers asked, messages kept.
One run after the other, in turn, round after round; medians of the wall time of one run, and the medians of each
round's own differences and ratios. A crew of one agent has three nodes (begin, the agent, finish), so it stands beside
one bare node and beside three. The HTTP agent is a process on loopback; what one call of it takes by itself is
measured, too.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, TypedDict
from uuid import UUID, uuid4

import uvloop
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

from graphs.crews.build import build
from nodes.agents.base import AgentContext, BaseAgent
from nodes.agents.python import kind_of_class
from server.db.pool import Database
from server.lab import open_lab
from server.settings import read_settings
from state.agent_ports import AgentNeeds
from state.agents import NewAgent
from state.flows import AgentSpec, CrewSpec
from tests.acceptance.agents.agents import http_agents
from tests.benchmarks.rounds import Mark, print_marks, print_table

ONE, THREE, FOUR = "one bare node", "three bare nodes", "four bare nodes"
CREW, CREW_TWO = "crew of one Python agent", "crew of two Python agents"
POST, HTTP, REGISTERED = "POST /process alone", "crew of one HTTP agent", "crew of one registered HTTP agent"
NAMES = (ONE, THREE, FOUR, CREW, CREW_TWO, POST, HTTP, REGISTERED)
QUERY = "hello"
Run = Callable[[], Awaitable[object]]


ECHO = AgentSpec(agent_id="echo", agent_class="Echo")


class Echo(BaseAgent):
    """Answers at once."""

    CAPABILITIES = ("echoing",)

    async def execute(self, input: Mapping[str, Any], context: AgentContext) -> str:
        return context.text


class State(TypedDict):
    query: str
    answer: str


def bare(database: Database, run_ids: Iterator[UUID], nodes: int) -> Run:
    """As many nodes in a row that do nothing."""

    async def node(state: State) -> dict[str, Any]:
        return {"answer": state["query"]}

    builder = StateGraph(State)
    before = START
    for number in range(nodes):
        builder.add_node(f"n{number}", node)
        builder.add_edge(before, f"n{number}")
        before = f"n{number}"
    return ran(builder.compile(database.checkpointer), run_ids)


async def admitted(database: Database, count: int) -> list[UUID]:
    """Runs that there are, so that what is written beside them is kept."""
    ids = [uuid4() for _ in range(count)]
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO threads (thread_id, tenant_id) SELECT unnest(%s::uuid[]), 'default'",
            (ids,),
        )
        await connection.execute(
            "INSERT INTO runs (run_id, thread_id, tenant_id, graph_id, status, finished_at)"
            " SELECT id, id, 'default', 'crew', 'success', now() FROM unnest(%s::uuid[]) AS id",
            (ids,),
        )
    return ids


def remote(**config: str) -> AgentSpec:
    return AgentSpec(agent_id="remote", agent_class="HttpAgent", config=config)


def crew(database: Database, run_ids: Iterator[UUID], needs: AgentNeeds, *agents: AgentSpec) -> Run:
    spec = CrewSpec(crew_id="bench", agents=agents)
    return ran(build(spec, needs).compile(database.checkpointer), run_ids)


def ran(graph: Any, run_ids: Iterator[UUID]) -> Run:
    async def run() -> None:
        config: RunnableConfig = {"configurable": {"thread_id": str(uuid4())}, "run_id": next(run_ids)}
        await graph.ainvoke({"query": QUERY}, config)

    return run


def contesting(database: Database, run_ids: Iterator[UUID], needs: AgentNeeds, endpoint: str) -> dict[str, Run]:
    assert needs.http is not None
    client = needs.http
    body = {"input": {"user_query": QUERY}, "config": {}}

    async def post() -> None:
        async with client(10.0) as http:
            (await http.post(f"{endpoint}/process", json=body)).raise_for_status()

    return {
        ONE: bare(database, run_ids, 1),
        THREE: bare(database, run_ids, 3),
        FOUR: bare(database, run_ids, 4),
        CREW: crew(database, run_ids, needs, ECHO),
        CREW_TWO: crew(database, run_ids, needs, ECHO, AgentSpec(agent_id="again", agent_class="Echo")),
        POST: post,
        HTTP: crew(database, run_ids, needs, remote(endpoint=endpoint)),
        REGISTERED: crew(database, run_ids, needs, remote(agent_id="known")),
    }


async def seconds_of(run: Run, runs: int) -> float:
    """Of one of them, the median."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        await run()
        times.append(time.perf_counter() - started)
    return median(times)


async def main(rounds: int, runs: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as folder, http_agents(Path(folder), "echo", "known") as processes:
        settings = read_settings(data_dir=Path(folder) / "data", allowed_networks="127.0.0.0/8", log_level="WARNING")
        async with open_lab(settings) as lab:
            known = NewAgent(agent_id="known", endpoint=processes["known"].endpoint)
            await lab.agents.agents.register("default", known)
            kinds = {**lab.needs.kinds(), "Echo": kind_of_class(Echo)}
            needs = replace(lab.needs, kinds=lambda: kinds)
            ids = await admitted(lab.database, (rounds + 1) * runs * len(NAMES))
            contestants = contesting(lab.database, iter(ids), needs, processes["echo"].endpoint)
            for number in range(rounds + 1):
                at = number % len(NAMES)
                for name in NAMES[at:] + NAMES[:at]:
                    took = await seconds_of(contestants[name], runs if number else 2)
                    if number:  # the first round warms
                        found[name].append(took)
    report(found, rounds, runs)


def report(found: Mapping[str, list[float]], rounds: int, runs: int) -> None:
    def beside(name: str, other: str, less: str | None = None) -> float:
        """Milliseconds that one takes more, the median of the rounds."""
        taken = found[less] if less else [0.0] * len(found[name])
        return median(a - b - c for a, b, c in zip(found[name], found[other], taken, strict=True)) * 1e3

    print(f"{rounds} rounds of {runs} runs, medians of one run")
    ratios = {name: median(a / b for a, b in zip(times, found[ONE], strict=True)) for name, times in found.items()}
    print_table(
        [("", "ms", f"× {ONE}"), *((n, f"{median(t) * 1e3:.2f}", f"{ratios[n]:.2f}") for n, t in found.items())]
    )
    print_marks(
        [
            Mark("crew of one agent, more than one bare node", beside(CREW, ONE), "most", 10.0, "ms"),
            Mark("crew of one agent, more than three bare nodes", beside(CREW, THREE), "most", 10.0, "ms"),
            Mark("one more agent", beside(CREW_TWO, CREW), "most", 10.0, "ms"),
            Mark("HTTP agent, more than one bare node and its POST", beside(HTTP, ONE, POST), "most", 10.0, "ms"),
            Mark("registered HTTP agent, more than the same", beside(REGISTERED, ONE, POST), "most", 10.0, "ms"),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(arguments.rounds, arguments.runs))
