"""Runs and their nodes, counted and timed by the process in which they are at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from server.telemetry.models import ModelMeter, ModelWatch
from server.telemetry.names import Names, Pairs

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
SCORES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MOST_GRAPHS = 50
MOST_NODES, MOST_NODES_OF_ONE = 300, 50
"""Nodes told by name: of all graphs, and of one, as of `flow`, where the steps of everybody's flows stand."""
CUT = "cut"
"""Outcome of a node whose run ended before it did."""


class RunMeter:
    """Of one process."""

    def __init__(
        self, registry: CollectorRegistry, models: ModelMeter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models, self._clock = models, clock
        self._graphs, self._nodes = Names(MOST_GRAPHS), Pairs(MOST_NODES, MOST_NODES_OF_ONE)
        self._ended = Counter(
            "lab_runs_ended", "Runs that ended here, by how they ended", ("graph", "status"), registry=registry
        )
        self._seconds = Histogram(
            "lab_run_seconds",
            "Time from a run's begin in this process to its recorded end",
            ("graph", "status"),
            buckets=SECONDS,
            registry=registry,
        )
        self._waited = Histogram(
            "lab_run_queue_wait_seconds",
            "Time from when a run was due to when a worker took it, behind others of its thread among it",
            buckets=SECONDS,
            registry=registry,
        )
        self._takeovers = Counter(
            "lab_run_takeovers", "Runs that this process went on with after another was lost", registry=registry
        )
        self._node_seconds = Histogram(
            "lab_node_seconds",
            "Time that nodes took, retries among it: completed, interrupted (asks a human), failed, cut",
            ("graph", "node", "outcome"),
            buckets=SECONDS,
            registry=registry,
        )
        self._scores = Histogram(
            "lab_validator_score",
            "Scores that the validator gave to attempts, 0 to 1, and whether that passed",
            ("graph", "passed"),
            buckets=SCORES,
            registry=registry,
        )

    def begin(self, graph_id: str, *, attempt: int, waited_sec: float | None) -> RunWatch:
        """A run is at work from now on. `waited_sec`: since it was due; None where nobody knows."""
        if attempt > 1:
            self._takeovers.inc()
        elif waited_sec is not None:
            self._waited.observe(max(0.0, waited_sec))
        return RunWatch(self, self._graphs(graph_id), self._models.watch(), self._clock)

    def end(self, graph: str, status: str, seconds: float) -> None:
        self._ended.labels(graph, status).inc()
        self._seconds.labels(graph, status).observe(seconds)

    def lost(self, graph_id: str, status: str) -> None:
        """A run whose worker is gone was ended here; how long it was at work nobody knows."""
        self._ended.labels(self._graphs(graph_id), status).inc()

    def node(self, graph: str, node: str, outcome: str, seconds: float) -> None:
        self._node_seconds.labels(graph, self._nodes(graph, node), outcome).observe(seconds)

    def score(self, graph: str, score: float, *, passed: bool) -> None:
        self._scores.labels(graph, str(passed).lower()).observe(score)


class RunWatch:
    """One run at work. `models` goes among its callbacks, `task` is told of its `tasks` parts."""

    __slots__ = ("_begun", "_clock", "_graph", "_meter", "_tasks", "models")

    def __init__(self, meter: RunMeter, graph: str, models: ModelWatch, clock: Callable[[], float]) -> None:
        self.models = models
        self._meter, self._graph, self._clock = meter, graph, clock
        self._begun = clock()
        self._tasks: dict[str, tuple[str, float]] = {}

    def task(self, payload: Mapping[str, Any]) -> None:
        """A task of the graph itself has begun, or has ended."""
        if "interrupts" not in payload:
            self._tasks[payload["id"]] = payload["name"], self._clock()
            return
        name, begun = self._tasks.pop(payload["id"], (payload["name"], None))
        if begun is not None:  # else its end is told a second time, or it was kept from an earlier attempt
            self._meter.node(self._graph, name, outcome_of(payload), self._clock() - begun)
            for score, passed in scores_of(payload.get("result")):
                self._meter.score(self._graph, score, passed=passed)

    def end(self, status: str | None) -> None:
        """It has ended, and that is recorded; None: it was handed back, lost, or is gone altogether."""
        now = self._clock()
        for name, begun in self._tasks.values():
            self._meter.node(self._graph, name, CUT, now - begun)
        self._tasks.clear()
        if status is not None:
            self._meter.end(self._graph, status, now - self._begun)


def outcome_of(payload: Mapping[str, Any]) -> str:
    """Of the end of a task."""
    if payload.get("error"):
        return "failed"
    return "interrupted" if payload.get("interrupts") else "completed"


def scores_of(result: object) -> Sequence[tuple[float, bool]]:
    """The verdicts that a task has written, where it is one that judges: score and whether it passed."""
    verdicts = result.get("verdicts") if isinstance(result, Mapping) else None
    if not isinstance(verdicts, list | tuple):
        return ()
    told = [(getattr(one, "score", None), getattr(one, "passed", None)) for one in verdicts]
    return [(score, passed) for score, passed in told if isinstance(score, float) and isinstance(passed, bool)]
