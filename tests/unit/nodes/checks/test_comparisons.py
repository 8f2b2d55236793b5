"""Comparisons of numbers: a wrong one is found, everything else is left alone."""

import pytest

from nodes.checks.comparisons import check_comparison
from state.tasks import Analysis

MATH = Analysis(kind="math", confidence=1.0, language="en")


@pytest.mark.parametrize(
    ("prompt", "answer", "evidence"),
    [
        ("Is 355 greater than 436?", "Yes", "355 is less than 436"),
        ("Is 72 bigger than 56?", "No.", "72 is greater than 56"),
        ("¿Es 61 mayor que 35?", "No, no lo es", "61 is greater than 35"),
        ("¿Es 4.5 más pequeño que -2?", "Sí", "4.5 is greater than -2"),
        ("Is 5 smaller than 5?", "yes", "5 is equal to 5"),
        ("Which is larger, 9.11 or 9.9?", "9.11", "9.9 is greater than 9.11"),
        ("¿Cuál es menor, 12 o 30?", "El menor es 30.", "12 is less than 30"),
    ],
)
def test_a_wrong_comparison_is_found(prompt: str, answer: str, evidence: str) -> None:
    reason = check_comparison(prompt, answer, MATH)
    assert reason is not None and (reason.name, reason.evidence) == ("wrong_arithmetic", evidence)


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Is 355 greater than 436?", "No"),
        ("¿Es 12 menor que 30?", "Sí, 12 es menor que 30."),
        ("Is 355 greater than 436?", "355 is less than 436, so no."),
        ("Is 3 greater than 2 in this sorting of cards?", "No"),
        ("Is it more than 3 km from 5 to 9?", "No"),
        ("Which is larger, 9.11 or 9.9?", "9.9 is larger than 9.11"),
        ("Which is larger, 9.11 or 9.9?", "The second one"),
        ("Which is larger, 4 or 4.0?", "4"),
        ("Which of these books is bigger, 1984 or 2666?", "2666"),
        ("Is 5 more than 3? " + "x" * 500, "No"),
    ],
)
def test_right_unclear_and_other_answers_are_left_alone(prompt: str, answer: str) -> None:
    assert check_comparison(prompt, answer, MATH) is None
