"""The circuit breaker of a registered agent: pure rules, which the registry's conditional updates follow.

Closed: calls pass. Open: nobody calls. Half-open, when the rest is over: one caller tries, all others still wait.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from state.agents import Breaker
from state.errors import CircuitOpen

FAILURES = 5
"""In a row, after which the breaker opens."""
OPEN_SECONDS = 30.0
"""How long nobody calls."""
PROBE_SECONDS = 30.0
"""How long one trial keeps others from trying: afterwards whoever tried counts as gone."""

Verdict = Literal["closed", "open", "probe"]
"""What a caller may do: call, not call, or be the one who tries."""


def decide(breaker: Breaker, now: datetime) -> Verdict:
    """Whether somebody who wants to call now may; `probe`: after `begin_probe` only."""
    if breaker.open_until is None:
        return "closed"
    if now < breaker.open_until or (breaker.probe_until is not None and now < breaker.probe_until):
        return "open"
    return "probe"


def begin_probe(breaker: Breaker, now: datetime) -> Breaker:
    """One caller tries from now on."""
    return replace(breaker, probe_until=now + timedelta(seconds=PROBE_SECONDS))


def after_failure(breaker: Breaker, now: datetime) -> Breaker:
    """One more failure. Those of calls that began before the breaker opened do not keep it open for longer."""
    failures = breaker.failures + 1
    if breaker.open_until is not None and now < breaker.open_until:
        return replace(breaker, failures=failures)
    if failures >= FAILURES or breaker.open_until is not None:
        return Breaker(failures, open_until=now + timedelta(seconds=OPEN_SECONDS))
    return Breaker(failures)


def after_success() -> Breaker:
    """Closed, and nothing held against the agent."""
    return Breaker()


def resting(agent_id: str, breaker: Breaker, now: datetime) -> CircuitOpen:
    """What a caller is told whom `decide` answered `open`."""
    until = max(moment for moment in (breaker.open_until, breaker.probe_until, now) if moment is not None)
    return CircuitOpen(
        f"agent '{agent_id}' rests after {breaker.failures} failures in a row; "
        f"it is tried again at {until.isoformat(timespec='seconds')}"
    )
