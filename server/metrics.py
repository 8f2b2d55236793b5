"""Figures for monitoring, named as dashboards of the Agent Server know them: requests, queue, workers, process."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.messages.figures import BOUNDS_SEC, Figures

BOUNDS_MS = (10.0, 100.0, 500.0, 1_000.0, 5_000.0, 15_000.0, 30_000.0, 60_000.0, 300_000.0, 1_800_000.0, 3_600_000.0)
"""Upper ends of the latency histogram."""


class Requests:
    """Counts of answered requests by method, route and status; `Counting` fills it."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self.within: Counter[tuple[str, str, float]] = Counter()
        self.total_ms: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """`path` is the route's, with its placeholders: there are as many as routes."""
        self.answered[method, path, status] += 1
        self.within[method, path, next((bound for bound in BOUNDS_MS if milliseconds <= bound), float("inf"))] += 1
        self.total_ms[method, path] += milliseconds


class Counting:
    """Innermost middleware: the route that answered is known there."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 500, time.monotonic()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = getattr(scope.get("route"), "path", "")
            self._requests.add(scope["method"], path, status, (time.monotonic() - begun) * 1_000)


@dataclass(frozen=True)
class Gauges:
    """What is told at one moment."""

    pending: int
    running: int
    slots: int
    """Runs that the server's own workers take at once."""
    requests: Requests
    messages: Figures | None = None
    """Between agents."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many of them wait for whom: the longest queues."""

    @property
    def active(self) -> int:
        return min(self.running, self.slots)


def as_json(gauges: Gauges) -> dict[str, Any]:
    """The JSON form. Waiting times are not measured: null, as where nothing waits."""
    return {
        "queue": {
            "n_pending": gauges.pending,
            "pending_runs_wait_time_max_secs": None,
            "pending_runs_wait_time_med_secs": None,
            "pending_unblocked_runs_wait_time_max_secs": None,
            "n_running": gauges.running,
        },
        "api": {
            "http_requests_total": [
                {"method": method, "path": path, "status": status, "count": count}
                for (method, path, status), count in gauges.requests.answered.items()
            ]
        },
        "workers": {"max": gauges.slots, "active": gauges.active, "available": gauges.slots - gauges.active},
    }


def as_prometheus(gauges: Gauges) -> str:
    """The text exposition format."""
    messages = () if gauges.messages is None else _messages(gauges.messages, gauges.waiting)
    return "\n".join([*_process(), *_requests(gauges.requests), *_runs(gauges), *messages, ""])


def _process() -> Iterator[str]:
    process = psutil.Process()
    major, minor, patch = platform.python_version_tuple()
    yield from _told("python_info", "gauge", "Python platform information", [(
        {"implementation": platform.python_implementation(), "major": major, "minor": minor, "patchlevel": patch,
         "version": platform.python_version()}, 1.0,
    )])  # fmt: skip
    memory, cpu = process.memory_info(), process.cpu_times()
    for name, kind, purpose, value in (
        ("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", memory.vms),
        ("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", memory.rss),
        ("process_start_time_seconds", "gauge", "Start time since the Unix epoch in seconds.", process.create_time()),
        ("process_cpu_seconds_total", "counter", "User and system CPU time in seconds.", cpu.user + cpu.system),
        ("process_open_fds", "gauge", "Open file descriptors.", _open_files(process)),
    ):
        yield from _told(name, kind, purpose, [({}, float(value))])


def _open_files(process: psutil.Process) -> int:
    return process.num_fds() if os.name == "posix" else 0


def _requests(requests: Requests) -> Iterator[str]:
    answered = [
        ({"method": method, "path": path, "status": str(status)}, float(count))
        for (method, path, status), count in requests.answered.items()
    ]
    yield from _told("lg_api_http_requests_total", "counter", "Answered requests", answered)
    name = "lg_api_http_requests_latency"
    yield f"# HELP {name} Time until a request was answered whole, in milliseconds"
    yield f"# TYPE {name} histogram"
    for (method, path), total in requests.total_ms.items():
        labels, count = {"method": method, "path": path}, 0.0
        for bound in (*BOUNDS_MS, float("inf")):
            count += requests.within[method, path, bound]
            yield _line(f"{name}_bucket", {**labels, "le": "+Inf" if bound == float("inf") else str(bound)}, count)
        yield _line(f"{name}_count", labels, count)
        yield _line(f"{name}_sum", labels, float(total))


def _runs(gauges: Gauges) -> Iterator[str]:
    for name, purpose, value in (
        ("lg_api_num_pending_runs", "Runs that wait", gauges.pending),
        ("lg_api_num_running_runs", "Runs at work", gauges.running),
        ("lg_api_workers_max", "Runs that this server takes at once", gauges.slots),
        ("lg_api_workers_active", "Of these, at work", gauges.active),
        ("lg_api_workers_available", "Of these, free", gauges.slots - gauges.active),
    ):
        yield from _told(name, "gauge", purpose, [({}, float(value))])


def _messages(figures: Figures, waiting: Mapping[str, int]) -> Iterator[str]:
    for name, purpose, counts in (
        ("sent", "Messages that agents sent, by sender", figures.sent),
        ("received", "Messages that were handed over, by receiver", figures.received),
        ("refused", "Messages that a full queue refused, by receiver", figures.refused),
    ):
        told = [({"agent": agent}, float(count)) for agent, count in counts.items()]
        yield from _told(f"lab_messages_{name}_total", "counter", purpose, told)
    told = [({"agent": agent}, float(count)) for agent, count in waiting.items()]
    yield from _told("lab_messages_waiting", "gauge", "Messages that wait for an agent: the longest queues", told)
    name, count = "lab_messages_delivery_seconds", 0
    yield f"# HELP {name} Time from sending a message to handing it over, in seconds"
    yield f"# TYPE {name} histogram"
    for bound, within in zip((*map(str, BOUNDS_SEC), "+Inf"), figures.within, strict=True):
        count += within
        yield _line(f"{name}_bucket", {"le": bound}, float(count))
    yield _line(f"{name}_count", {}, float(count))
    yield _line(f"{name}_sum", {}, figures.total_sec)


def _told(name: str, kind: str, purpose: str, values: Sequence[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {purpose}"
    yield f"# TYPE {name} {kind}"
    yield from (_line(name, labels, value) for labels, value in values)


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{said}}} {value}" if said else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
