"""What measuring costs: microseconds of CPU by what is measured, beside a bare increment of a dict.

    python -m tests.benchmarks.bench_telemetry [--rounds 7]

The best of the rounds counts: others share the machine. Whole runs of a graph of three nodes without a model or
Postgres are run with and without a watch in turn; a scrape is one of a process whose every family is full.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from typing import Any, TypedDict
from uuid import uuid4

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph

from server.messages.figures import Figures
from server.streaming.execution import calling_back
from server.telemetry.exposition import Slots, exposition
from server.telemetry.meters import Telemetry, new_telemetry
from server.telemetry.readings import Disk, Machine, Process, Readings
from state.resources import Reading

TIMES = 20_000
RUNS = 100
TASKS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"id": "1", "name": "node", "input": {}},
        {"id": "1", "name": "node", "error": None, "result": {}, "interrupts": []},
    )
]
ANSWER = AIMessage(
    "hello",
    response_metadata={
        "model_name": "demo", "strategy": "standard", "inference_time_sec": 0.5, "time_to_first_token_sec": 0.1,
        "prompt_tokens": 10, "prompt_tokens_reused": 4, "tokens_generated": 3,
    },
)  # fmt: skip


class State(TypedDict):
    number: int


async def add(state: State) -> State:
    return {"number": state["number"] + 1}


def acts(telemetry: Telemetry) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    bare: dict[str, int] = {"count": 0}
    run = telemetry.runs.begin("direct", attempt=1, waited_sec=0.0)
    response = LLMResult(generations=[[ChatGeneration(message=ANSWER)]])
    call = uuid4()
    run.models.on_chat_model_start({}, [], run_id=call, metadata={"ls_model_name": "demo"})

    def increment() -> None:
        bare["count"] += 1

    def whole_run() -> None:
        telemetry.runs.begin("direct", attempt=1, waited_sec=0.0).end("success")

    def node() -> None:
        for begun, ended in TASKS:
            run.task(begun)
            run.task(ended)

    def model_call() -> None:
        other = uuid4()
        run.models.on_chat_model_start({}, [], run_id=other, metadata={"ls_model_name": "demo"})
        run.models.on_llm_end(response, run_id=other)

    statement = b"SELECT 1"
    return {
        "a bare increment of a dict": increment,
        "a run: begin and end": whole_run,
        "a node: begin and end": node,
        "a call of a model": model_call,
        "a token": lambda: run.models.on_llm_new_token("x", run_id=call),
        "a call of an agent": lambda: telemetry.agents.ended("echo", "completed", 0.1),
        "a round trip to Postgres": lambda: telemetry.database([statement], 0.001, False),
        "a request": lambda: telemetry.requests.add("GET", "/a/{id}", 200, 5.0),
    }


def microseconds(act: Callable[[], Any]) -> float:
    begun = time.process_time()
    for _ in range(TIMES):
        act()
    return (time.process_time() - begun) / TIMES * 1e6


async def runs(telemetry: Telemetry, *, watched: bool) -> float:
    """Microseconds of one run of three nodes."""
    graph = StateGraph(State)
    for name in "abc":
        graph.add_node(name, add)
    for one, other in ((START, "a"), ("a", "b"), ("b", "c"), ("c", END)):
        graph.add_edge(one, other)
    compiled = graph.compile()
    begun = time.process_time()
    for _ in range(RUNS):
        config = RunnableConfig(run_id=uuid4())
        watch = telemetry.runs.begin("direct", attempt=1, waited_sec=0.0) if watched else None
        if watch is not None:
            config = calling_back(compiled, config, watch.models)
        async for mode, part in compiled.astream({"number": 0}, config, stream_mode=["values", "tasks"]):
            if watch is not None and mode == "tasks":
                watch.task(part)  # type: ignore[arg-type]  # of `tasks` it is a dict
        if watch is not None:
            watch.end("success")
    return (time.process_time() - begun) / RUNS * 1e6


def full() -> Telemetry:
    """With as many names as are told."""
    telemetry = new_telemetry()
    for number in range(400):
        run = telemetry.runs.begin(f"graph {number}", attempt=1, waited_sec=0.0)
        run.task({"id": "1", "name": f"node {number}", "input": {}})
        run.end("success")
        telemetry.agents.ended(f"agent {number}", "completed", 0.1)
        telemetry.requests.add("GET", f"/{number}", 200, 1.0)
    return telemetry


def scrape(telemetry: Telemetry) -> bytes:
    reading = Reading(device="cpu", ram_total_bytes=1, ram_free_bytes=1, budget_bytes=1)
    machine = Machine(reading, Disk(1, 1), Process(1, 1, 1.0, 1.0, 1, 1), 1, (0.0, 0.0, 0.0))
    return exposition(telemetry, Readings(machine, None), Figures(), Slots(1, 0))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    for name, act in acts(new_telemetry()).items():
        print(f"{name:32} {min(microseconds(act) for _ in range(rounds)):8.2f} µs")
    telemetry = new_telemetry()
    both = [[asyncio.run(runs(telemetry, watched=one)) for one in (False, True)] for _ in range(rounds * 3)]
    without, watched = (min(times) for times in zip(*both, strict=True))
    print(f"{'a run of three nodes, watched':32} {watched - without:8.1f} µs more than {without:.0f}")
    for name, one in (("fresh", new_telemetry()), ("full", full())):
        begun = time.process_time()
        told = scrape(one)
        print(f"{f'a scrape, {name}':32} {(time.process_time() - begun) * 1e3:8.1f} ms, {len(told):,} bytes")


if __name__ == "__main__":
    main()
