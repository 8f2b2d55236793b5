"""Time that Postgres takes, by what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from server.db.sql import FOLDER, read_queries

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
OTHER = "other"
PARTS = (
    ("checkpoint", "checkpoints"),
    ("run_events", "events"),
    ("store", "store"),
    ("workers", "workers"),
    ("agent_messages", "messages"),
)
"""What a statement that is in no file of ours is about: the first of these words that it holds."""
MOST_KNOWN = 2_000
"""Statements remembered; some are made as they are asked."""


class DatabaseMeter:
    """Of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._parts: dict[Any, str] = dict(_named())
        self._seconds = Histogram(
            "lab_database_seconds",
            "Time of a round trip to Postgres, by what was asked for; statements sent together count once",
            ("part",),
            buckets=SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "lab_database_errors", "Round trips that ended in an error, refused values among them", ("part",),
            registry=registry,
        )  # fmt: skip

    def __call__(self, statements: Sequence[Any], seconds: float, failed: bool) -> None:
        """server.db.timing.Observe"""
        part = next((part for part in map(self.part_of, statements) if part != OTHER), OTHER)
        self._seconds.labels(part).observe(seconds)
        if failed:
            self._errors.labels(part).inc()

    def part_of(self, statement: Any) -> str:
        """`queue`, `threads`, …: the file that a statement is in, or what it speaks of."""
        try:
            part = self._parts.get(statement)
        except TypeError:  # composed of parts that cannot be compared
            return OTHER
        if part is None:
            part = about(statement)
            if len(self._parts) < MOST_KNOWN:
                self._parts[statement] = part
        return part


def about(statement: object) -> str:
    """Of a statement that is in no file of ours."""
    text = statement.decode(errors="replace") if isinstance(statement, bytes) else statement
    return next((part for word, part in PARTS if word in text), OTHER) if isinstance(text, str) else OTHER


def _named() -> Mapping[Any, str]:
    return {text: file.stem for file in sorted(FOLDER.glob("*.sql")) for text in read_queries(file).values()}
