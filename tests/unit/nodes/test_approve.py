"""What a human may answer, and which attempt is the best."""

import pytest

from nodes.approve import read_decision
from nodes.summarise import best_attempt
from state.tasks import Attempt, Verdict
from tests.unit.nodes.values import METRICS


@pytest.mark.parametrize("reply", ["accept", " Accept ", {"decision": "accept"}])
def test_a_word_or_an_object_is_a_decision(reply: object) -> None:
    assert read_decision(reply).decision == "accept"


@pytest.mark.parametrize("reply", ["yes", 7, None, [], {"decision": "edit"}, {"decision": "accept", "x": 1}])
def test_anything_else_is_told_what_is_accepted(reply: object) -> None:
    with pytest.raises(ValueError):
        read_decision(reply)


def test_the_earlier_of_equal_attempts_is_kept() -> None:
    attempts = [Attempt(number=n, model="m", strategy="standard", answer=str(n), metrics=METRICS) for n in (1, 2, 3)]
    scores = [Verdict(score=score, passed=False) for score in (0.2, 0.5, 0.5)]
    assert best_attempt(attempts, scores).number == 2
