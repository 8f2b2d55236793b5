"""The lab's API: what the model cache saves, and what the API costs beside the inference.

    python -m tests.benchmarks.bench_lab_api [--rounds 10] [--requests 100]

One `lab serve` as it is, with its own embedded Postgres (fsync on) and its log, and in the same run a bare FastAPI
application under uvicorn, asked by the same client over kept-alive connections, one request at a time, in turn.

Cache: `DELETE /cache/demo`, then the same prompt twice: a miss, a hit. Overhead: what a client waits beyond the model
call's own `total_time_sec`; on routes that call no model, all of it. A run is durable before it begins: two commits.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import psutil
from fastapi import FastAPI

from server.wire.lab import InferenceRequest
from tests.acceptance.processes import ROOT, Lab
from tests.benchmarks.rounds import Mark, in_turn, print_marks, print_table

PROMPT = {"prompt": "Reverse the word house", "model": "demo", "strategy": "standard", "max_tokens": 64}
METRICS = {"load_time_sec": 0.0, "inference_time_sec": 0.0, "total_time_sec": 0.0, "tokens_generated": 0}


@dataclass(frozen=True)
class Server:
    address: str
    process: psutil.Process

    def cpu_sec(self) -> float:
        """Of its process alone, Postgres left out, all threads together."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)


Ask = Callable[[httpx.Client], float]
"""One request; seconds that its client waited, without the model's own."""


def bare() -> FastAPI:
    """Routes of the same shape that do nothing."""
    app = FastAPI()

    @app.get("/")
    async def root() -> dict[str, Any]:
        return {"ok": True}

    @app.post("/inference")
    async def infer(body: InferenceRequest) -> dict[str, Any]:
        return {"output": body.prompt, "metrics": METRICS}

    return app


@contextmanager
def serving_lab(folder: Path) -> Iterator[Server]:
    lab = Lab({"LAB_DATA_DIR": str(folder / "data"), "LAB_OFFLINE": "true"}, folder)
    with lab.start("serve", "--port", "0") as process:
        yield Server(process.address(), psutil.Process(process.popen.pid))


@contextmanager
def serving_bare() -> Iterator[Server]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", f"{__spec__.name}:bare", "--port", str(port)]
    with subprocess.Popen([*command, "--no-access-log", "--log-level", "warning"], cwd=ROOT) as process:
        try:
            yield Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        finally:
            process.terminate()


def wait_for(client: httpx.Client, path: str) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            client.get(path).raise_for_status()
            return
        time.sleep(0.1)
    raise RuntimeError(f"{client.base_url} does not answer")


def timed(client: httpx.Client, method: str, path: str, **sent: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = client.request(method, path, **sent)
    took = time.perf_counter() - began
    answer.raise_for_status()
    return took, answer.json()


def get(path: str) -> Ask:
    return lambda client: timed(client, "GET", path)[0]


def post(path: str, **more: Any) -> Ask:
    """Without the seconds of the model call."""

    def ask(client: httpx.Client) -> float:
        took, told = timed(client, "POST", path, json={**PROMPT, **more})
        return took - float(told["metrics"]["total_time_sec"])

    return ask


def once(client: httpx.Client, ask: Ask) -> Callable[[int], float]:
    """As a contestant of `in_turn`."""
    return lambda _: ask(client)


def cache(client: httpx.Client, rounds: int) -> list[Mark]:
    """A miss and a hit, again and again."""
    misses, hits = [], []
    for _ in range(rounds):
        client.delete("/cache/demo")
        misses.append(timed(client, "POST", "/inference", json=PROMPT))
        hits.append(timed(client, "POST", "/inference", json=PROMPT))
    assert not any(told["metrics"]["cache_hit"] for _, told in misses)
    assert all(told["metrics"]["cache_hit"] for _, told in hits)
    rows: list[tuple[str, ...]] = [("cache", "load_time_sec p50", "max", "whole request p50 ms")]
    for name, found in (("miss", misses), ("hit", hits)):
        loads = [told["metrics"]["load_time_sec"] for _, told in found]
        rows.append(
            (name, f"{median(loads):.6f}", f"{max(loads):.6f}", f"{median(took for took, _ in found) * 1e3:.1f}")
        )
    print_table(rows)
    whole = [median(took for took, _ in found) for found in (misses, hits)]
    worst = max(told["metrics"]["load_time_sec"] for _, told in hits)
    return [
        Mark("whole request, miss / hit", whole[0] / whole[1], "least", 2),
        Mark("load_time_sec of a hit, the worst", worst, "most", 0.01, "s"),
    ]


def overhead(lab: tuple[httpx.Client, Server], other: tuple[httpx.Client, Server], requests: int) -> list[Mark]:
    """Milliseconds beside the inference, route by route. CPU: of the server, the inference's own among it."""
    asked: dict[str, tuple[tuple[httpx.Client, Server], Ask]] = {
        "bare FastAPI, GET": (other, get("/")),
        "bare FastAPI, POST with a body": (other, post("/inference")),
        "GET /ok": (lab, get("/ok")),
        "GET /": (lab, get("/")),
        "GET /health": (lab, get("/health")),
        "GET /cache": (lab, get("/cache")),
        "GET /models": (lab, get("/models")),
        "GET /api/v1/ready": (lab, get("/api/v1/ready")),
        "POST /inference": (lab, post("/inference")),
        "POST /api/v1/execute": (lab, post("/api/v1/execute", execution_type="simple")),
    }
    cpu: dict[str, float] = {}
    for name, ((client, server), ask) in asked.items():
        for _ in range(5):
            ask(client)
        before = server.cpu_sec()
        for _ in range(requests):
            ask(client)
        cpu[name] = (server.cpu_sec() - before) / requests
    found = in_turn({name: once(client, ask) for name, ((client, _), ask) in asked.items()}, requests)
    rows: list[tuple[str, ...]] = [("overhead, ms", "p50", "p95", "CPU")]
    for name, seconds in found.items():
        waited = f"{median(seconds) * 1e3:.2f}", f"{quantiles(seconds, n=20)[-1] * 1e3:.2f}"
        rows.append((name, *waited, f"{cpu[name] * 1e3:.2f}"))
    print()
    print_table(rows)
    ours = [name for name in asked if not name.startswith("bare")]
    return [Mark(f"{name}, p50", median(found[name]) * 1e3, "most", 10, "ms") for name in ours]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="misses and hits")
    parser.add_argument("--requests", type=int, default=100, help="of each route")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        Path(folder).chmod(0o755)
        with (
            serving_lab(Path(folder)) as server,
            serving_bare() as bare_server,
            httpx.Client(base_url=server.address, timeout=60) as lab,
            httpx.Client(base_url=bare_server.address, timeout=60) as other,
        ):
            wait_for(other, "/")
            marks = cache(lab, chosen.rounds)
            print_marks([*marks, *overhead((lab, server), (other, bare_server), chosen.requests)])


if __name__ == "__main__":
    main()
