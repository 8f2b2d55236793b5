"""When an agent that failed is left alone, and when somebody tries it again."""

from datetime import UTC, datetime, timedelta

import pytest

from nodes.agents.breaker import FAILURES, Verdict, after_failure, after_success, begin_probe, decide, resting
from state.agents import Breaker

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("breaker", "verdict"),
    [
        (Breaker(), "closed"),
        (Breaker(4), "closed"),
        (Breaker(5, open_until=at(30)), "open"),
        (Breaker(5, open_until=at(0.001)), "open"),
        (Breaker(5, open_until=at(0)), "probe"),
        (Breaker(5, open_until=at(-1)), "probe"),
        (Breaker(5, open_until=at(-1), probe_until=at(1)), "open"),
        (Breaker(5, open_until=at(-40), probe_until=at(0)), "probe"),
        (Breaker(5, open_until=at(10), probe_until=at(-1)), "open"),
    ],
)
def test_who_may_call(breaker: Breaker, verdict: Verdict) -> None:
    assert decide(breaker, NOW) == verdict


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Breaker(), Breaker(1)),
        (Breaker(3), Breaker(4)),
        (Breaker(4), Breaker(5, open_until=at(30))),
        (Breaker(5, open_until=at(20)), Breaker(6, open_until=at(20))),
        (Breaker(5, open_until=at(-1), probe_until=at(29)), Breaker(6, open_until=at(30))),
        (Breaker(1, open_until=at(-1), probe_until=at(29)), Breaker(2, open_until=at(30))),
    ],
)
def test_what_a_failure_does(before: Breaker, after: Breaker) -> None:
    assert after_failure(before, NOW) == after


def test_five_failures_open_it_for_thirty_seconds_then_one_caller_tries_and_closes_it() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        assert decide(breaker, NOW) == "closed"
        breaker = after_failure(breaker, NOW)
    assert [decide(breaker, at(seconds)) for seconds in (0, 29.9, 30)] == ["open", "open", "probe"]
    trying = begin_probe(breaker, at(30))
    assert [decide(trying, at(seconds)) for seconds in (30, 59.9, 60)] == ["open", "open", "probe"]
    again = after_failure(trying, at(31))
    assert [decide(again, at(seconds)) for seconds in (60.9, 61)] == ["open", "probe"]
    assert decide(after_success(), at(31)) == "closed"


@pytest.mark.parametrize(
    ("breaker", "until"),
    [
        (Breaker(5, open_until=at(30)), "2026-01-01T12:00:30+00:00"),
        (Breaker(6, open_until=at(-9), probe_until=at(21)), "2026-01-01T12:00:21+00:00"),
    ],
)
def test_the_refusal_says_how_often_it_failed_and_until_when(breaker: Breaker, until: str) -> None:
    assert str(resting("zoe", breaker, NOW)) == (
        f"agent 'zoe' rests after {breaker.failures} failures in a row; it is tried again at {until}"
    )
