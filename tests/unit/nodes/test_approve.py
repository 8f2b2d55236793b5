"""Which attempt is the best, and when a load is asked about."""

import pytest

from nodes.humans.load import as_chosen, load_question, needs_approval
from nodes.summarise import best_attempt
from state.context import Context
from state.models import Sampling
from state.tasks import Attempt, LoadDecision, Plan, Verdict
from tests.unit.nodes.values import METRICS

PLAN = Plan(attempt=1, model="big", strategy="standard", sampling=Sampling(), load_bytes=5 * 2**30)
APPROVED = LoadDecision(decision="approve", model="big", strategy="standard")
CHOSEN = LoadDecision(decision="edit", model="small")


def test_the_earlier_of_equal_attempts_is_kept() -> None:
    attempts = [Attempt(number=n, model="m", strategy="standard", answer=str(n), metrics=METRICS) for n in (1, 2, 3)]
    scores = [Verdict(score=score, passed=False) for score in (0.2, 0.5, 0.5)]
    assert best_attempt(attempts, scores).number == 2


@pytest.mark.parametrize(
    ("loads", "limit", "asked"),
    [
        ([], None, False),
        ([], 5 * 2**30, False),
        ([], 5 * 2**30 - 1, True),
        ([], 0, True),
        ([APPROVED], 0, False),
        ([LoadDecision(decision="approve", model="big", strategy="optimized")], 0, True),
        ([LoadDecision(decision="reject", model="big", strategy="standard")], 0, True),
        ([LoadDecision(decision="edit", model="big")], 0, False),
        ([CHOSEN], 0, True),
    ],
)
def test_a_load_above_the_limit_is_asked_about_once(loads: list, limit: int | None, asked: bool) -> None:
    assert needs_approval(PLAN, loads, limit) is asked


def test_what_is_loaded_already_is_never_asked_about() -> None:
    assert not needs_approval(PLAN.model_copy(update={"load_bytes": 0}), [], 0)


def test_the_last_choice_of_a_human_stands_for_the_settings() -> None:
    context = Context(model="big", strategy="optimized", max_attempts=5)
    assert as_chosen(context, [APPROVED]) == context
    chosen = as_chosen(context, [CHOSEN, APPROVED])
    assert (chosen.model, chosen.strategy, chosen.max_attempts) == ("small", "optimized", 5)
    again = LoadDecision(decision="edit", model="tiny", strategy="streaming")
    chosen = as_chosen(context, [CHOSEN, again])
    assert (chosen.model, chosen.strategy) == ("tiny", "streaming")


def test_the_question_says_what_is_loaded_and_how_large_it_is() -> None:
    asked = load_question(PLAN, 2**30)
    assert "5.0 GiB" in asked["question"] and "1.0 GiB" in asked["question"]
    assert (asked["load_bytes"], asked["limit_bytes"], asked["model"]) == (5 * 2**30, 2**30, "big")
