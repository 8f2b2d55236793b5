"""Our server beside the reference (`langgraph dev`) in the same run: latency, runs and tokens a second, first event.

    LAB_REFERENCE=…/langgraph python -m tests.benchmarks.bench_agent_server [--rounds 3] [--seconds 8] [--workers 1]

LAB_REFERENCE names the `langgraph` command of an environment with `langgraph-cli[inmem]`; without it only ours is
measured. Both serve the fake graphs of tests/acceptance/protocol/app: three nodes, 199 streamed tokens, a loop of
twenty steps. Ours keeps everything in its embedded Postgres (fsync on), the reference in memory. Every run is a
stateless one over HTTP from this process, first without company, then 50 at once; rounds take turns, medians are told.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.acceptance.protocol.servers import Kind, serving
from tests.benchmarks.rounds import Mark, print_marks, print_table

TOKENS = 199
MEMORY_RUNS = 2_000

INPUTS: dict[str, Any] = {
    "steps": {"trail": []},
    "tokens": {"messages": [{"role": "user", "content": "Speak."}]},
    "loop": {"count": 0},
}


@dataclass
class Measured:
    """One round of one kind of load on one server."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds of each run, as its client saw it."""
    first: list[float] = field(default_factory=list)
    """Seconds to the first event."""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


Act = Callable[[httpx.AsyncClient], Coroutine[Any, Any, tuple[float, float]]]
"""One run: seconds to its first event (its answer where it is not streamed) and to its end."""


def waited(graph: str) -> Act:
    async def act(client: httpx.AsyncClient) -> tuple[float, float]:
        began = time.perf_counter()
        answer = await client.post("/runs/wait", json={"assistant_id": graph, "input": INPUTS[graph]})
        took = time.perf_counter() - began
        assert answer.status_code == 200 and b"__error__" not in answer.content, answer.text
        return took, took

    return act


async def streamed(client: httpx.AsyncClient) -> tuple[float, float]:
    """The run of two hundred tokens; fails where one of them is missing."""
    body = {"assistant_id": "tokens", "input": INPUTS["tokens"], "stream_mode": ["messages-tuple"]}
    began, first, heard, tail = time.perf_counter(), 0.0, 0, b""
    async with client.stream("POST", "/runs/stream", json=body) as answer:
        async for piece in answer.aiter_raw():
            first = first or time.perf_counter() - began
            # A piece may end within a name: what is left of it is looked at with the next.
            heard += (tail + piece).count(b"event: messages")
            tail = (tail + piece)[-len(b"event: messages") + 1 :]
    assert heard >= TOKENS, heard
    return first, time.perf_counter() - began


async def load(address: str, act: Act, at_once: int, seconds: float) -> Measured:
    """Begin runs for this long, `at_once` at a time, and wait for the last."""
    measured, began = Measured(), time.perf_counter()
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:

        async def one_after_the_other() -> None:
            while time.perf_counter() - began < seconds:
                first, took = await act(client)
                measured.first.append(first)
                measured.latencies.append(took)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    measured.seconds = time.perf_counter() - began
    return measured


LOADS: Sequence[tuple[str, Act, int]] = (
    ("three nodes, 1 at once", waited("steps"), 1),
    ("three nodes, 50 at once", waited("steps"), 50),
    ("tokens, 1 at once", streamed, 1),
    ("tokens, 50 at once", streamed, 50),
    ("loop of 20 steps, 50 at once", waited("loop"), 50),
)


def resident_mb(pid: int) -> float:
    """Of a server and the processes it started, without Postgres: what they share is counted once for each."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(each.memory_info().rss for each in family if "postgres" not in each.name()) / 1e6


async def rounds(addresses: dict[str, str], count: int, seconds: float) -> AsyncIterator[tuple[str, str, Measured]]:
    """(server, load, measured), the servers in turn."""
    for _ in range(count):
        for name, act, at_once in LOADS:
            for server, address in addresses.items():
                yield server, name, await load(address, act, at_once, seconds)


async def measure(servers: dict[str, tuple[str, int]], count: int, seconds: float) -> None:
    addresses = {name: address for name, (address, _) in servers.items()}
    for address in addresses.values():
        for _, act, _ in LOADS:
            await load(address, act, 4, 0.5)
    found: dict[tuple[str, str], list[Measured]] = {}
    async for server, name, measured in rounds(addresses, count, seconds):
        found.setdefault((server, name), []).append(measured)

    def median(server: str, name: str, figure: Callable[[Measured], float]) -> float:
        return statistics.median(figure(measured) for measured in found[server, name])

    def latency(measured: Measured) -> float:
        return statistics.median(measured.latencies) * 1_000

    def first(measured: Measured) -> float:
        return statistics.median(measured.first) * 1_000

    rows: list[tuple[str, ...]] = [("load", "server", "p50 ms", "first event p50 ms", "runs/s", "tokens/s")]
    for name, _, _ in LOADS:
        for server in addresses:
            rate = median(server, name, lambda measured: measured.per_second)
            cells = [name, server, f"{median(server, name, latency):.1f}", f"{median(server, name, first):.1f}"]
            rows.append((*cells, f"{rate:.1f}", f"{rate * TOKENS:.0f}" if name.startswith("tokens") else ""))
    print_table(rows)
    await after_many(servers)
    if len(addresses) < 2:
        return

    def faster(name: str) -> float:
        ours, theirs = (median(server, name, lambda measured: measured.per_second) for server in ("ours", "reference"))
        return ours / theirs

    alone, crowd, speaking, choir, _ = (name for name, _, _ in LOADS)
    print_marks(
        [
            Mark("latency of three nodes alone, reference / ours", _ratio(median, alone, latency), "least", 15),
            Mark("runs/s of three nodes, 50 at once, ours / reference", faster(crowd), "least", 2),
            Mark("tokens/s alone, ours / reference", faster(speaking), "least", 12),
            Mark("tokens/s, 50 at once, ours / reference", faster(choir), "least", 2),
            Mark("first event alone, p50 ms", median("ours", speaking, first), "most", 10, "ms"),
        ]
    )


def _ratio(median: Any, name: str, figure: Callable[[Measured], float]) -> float:
    return float(median("reference", name, figure) / median("ours", name, figure))


async def after_many(servers: dict[str, tuple[str, int]]) -> None:
    """Resident memory after two thousand more runs."""
    rows: list[tuple[str, ...]] = [("server", "resident MB before", f"after {MEMORY_RUNS} more runs")]
    for name, (address, pid) in servers.items():
        before = resident_mb(pid)
        async with httpx.AsyncClient(base_url=address, timeout=300) as client:
            act = waited("steps")
            for _ in range(MEMORY_RUNS // 50):
                await asyncio.gather(*(act(client) for _ in range(50)))
        rows.append((name, f"{before:.0f}", f"{resident_mb(pid):.0f}"))
    print()
    print_table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of one load in one round")
    parser.add_argument("--workers", type=int, default=1, help="processes of ours that run runs")
    chosen = parser.parse_args()
    kinds: list[Kind] = ["ours", "reference"] if os.environ.get("LAB_REFERENCE") else ["ours"]
    with ExitStack() as stack:
        servers = {}
        for kind in kinds:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lab-bench-")))
            folder.chmod(0o755)
            options = ["--workers", str(chosen.workers)] if kind == "ours" else []
            before = {child.pid for child in psutil.Process().children()}
            address = stack.enter_context(serving(kind, folder, *options))
            (pid,) = {child.pid for child in psutil.Process().children()} - before
            servers[kind] = (address, pid)
        asyncio.run(measure({str(kind): server for kind, server in servers.items()}, chosen.rounds, chosen.seconds))


if __name__ == "__main__":
    main()
