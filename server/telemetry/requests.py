"""Answered requests by route: counted by the innermost middleware, told under the Agent Server's names."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS_MS = (10.0, 100.0, 500.0, 1_000.0, 5_000.0, 15_000.0, 30_000.0, 60_000.0, 300_000.0, 1_800_000.0, 3_600_000.0)
"""Upper ends of the latency histogram."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Told by name; a client may send any word as a method."""
OTHER_METHOD = "OTHER"


class Requests:
    """Counts of answered requests by method, route and status; `Counting` fills it."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self.within: Counter[tuple[str, str, float]] = Counter()
        self.total_ms: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.open: Counter[str] = Counter()
        """Requests that are not answered whole, and WebSockets: `http`, `websocket`."""

    def add(self, method: str, path: str, status: int, milliseconds: float) -> None:
        """`path` is the route's, with its placeholders: there are as many as routes."""
        method = method if method in METHODS else OTHER_METHOD
        self.answered[method, path, status] += 1
        self.within[method, path, next((bound for bound in BOUNDS_MS if milliseconds <= bound), float("inf"))] += 1
        self.total_ms[method, path] += milliseconds

    def families(self) -> Iterator[Metric]:
        """For Prometheus."""
        answered = CounterMetricFamily("lg_api_http_requests", "Answered requests", labels=("method", "path", "status"))
        for (method, path, status), count in sorted(self.answered.items()):
            answered.add_metric((method, path, str(status)), count)
        yield answered
        latency = HistogramMetricFamily(
            "lg_api_http_requests_latency",
            "Time until a request was answered whole, in milliseconds",
            labels=("method", "path"),
        )
        for (method, path), total in sorted(self.total_ms.items()):
            buckets, count = [], 0
            for bound in (*BOUNDS_MS, float("inf")):
                count += self.within[method, path, bound]
                buckets.append(("+Inf" if bound == float("inf") else str(bound), float(count)))
            latency.add_metric((method, path), buckets, total)
        yield latency
        open_now = GaugeMetricFamily(
            "lab_http_open", "Requests not yet answered whole, and open WebSockets", labels=("kind",)
        )
        for kind in ("http", "websocket"):
            open_now.add_metric((kind,), self.open[kind])
        yield open_now


class Counting:
    """Innermost middleware: the route that answered is known there."""

    def __init__(self, app: ASGIApp, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        self._requests.open[kind] += 1
        try:
            if kind == "http":
                await self._http(scope, receive, send)
            else:
                await self._app(scope, receive, send)
        finally:
            self._requests.open[kind] -= 1

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
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
