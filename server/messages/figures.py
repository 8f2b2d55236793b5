"""What this process has sent and received, and how long messages were on their way."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

BOUNDS_SEC = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)
"""Upper ends of the histogram."""
MOST_AGENTS = 1_000
"""Counted by name; the rest stands under OTHERS."""
OTHERS = "(others)"


@dataclass
class Figures:
    """Counts since the start of the process, of all tenants."""

    sent: Counter[str] = field(default_factory=Counter)
    """By sender. What is recorded of a graph's own edges is not counted."""
    received: Counter[str] = field(default_factory=Counter)
    """By receiver."""
    refused: Counter[str] = field(default_factory=Counter)
    """By receiver, whose queue was full."""
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SEC) + 1))
    """Delivered messages by the time since they were sent; the last: above all bounds."""
    total_sec: float = 0.0

    def count(self, of: Counter[str], agent_id: str) -> None:
        of[agent_id if agent_id in of or len(of) < MOST_AGENTS else OTHERS] += 1

    def deliver(self, agent_id: str, seconds: float) -> None:
        """A message was handed over."""
        self.count(self.received, agent_id)
        seconds = max(0.0, seconds)
        self.within[bisect_left(BOUNDS_SEC, seconds)] += 1
        self.total_sec += seconds

    @property
    def delivered(self) -> int:
        return sum(self.within)

    def quantile(self, share: float) -> float | None:
        """The bound in seconds below which this share of the messages was delivered; None before the first."""
        wanted, seen = share * self.delivered, 0
        if not self.delivered:
            return None
        for bound, count in zip((*BOUNDS_SEC, float("inf")), self.within, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return None
