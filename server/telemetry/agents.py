"""Calls of agents, as the log of calls of this process sees them end."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from server.telemetry.names import Names

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
MOST_AGENTS = 100


class AgentMeter:
    """Of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._names = Names(MOST_AGENTS)
        self._calls = Counter(
            "lab_agent_calls", "Calls of agents that ended: completed, failed", ("agent", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "lab_agent_call_seconds", "Time that calls of agents took", ("agent",), buckets=SECONDS, registry=registry
        )

    def ended(self, agent_id: str, outcome: str, seconds: float | None) -> None:
        """`outcome`: completed or failed."""
        agent = self._names(agent_id)
        self._calls.labels(agent, outcome).inc()
        self._seconds.labels(agent).observe(max(0.0, seconds or 0.0))
