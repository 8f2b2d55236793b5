"""Arithmetic: what was asked must be said, and what is said must be true."""

from fractions import Fraction

import pytest

from nodes.checks.asked import asked_value
from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

ASKED = [
    ("What is 17 + 25?", Fraction(42)),
    ("¿Cuánto es 12 por 12?", Fraction(144)),
    ("How much is 15% of 80?", Fraction(12)),
    ("¿Cuánto es el 20 % de 50?", Fraction(10)),
    ("What is the square root of 144?", Fraction(12)),
    ("Calculate 3.5 * 4", Fraction(14)),
    ("What is 7 squared?", Fraction(49)),
    ("What is half of 30?", Fraction(15)),
    ("What is the average of 4, 8 and 12?", Fraction(8)),
    ("Multiply 6 by 7", Fraction(42)),
    ("The meeting of 2024-05-01 was long", None),
    ("Is 2 + 2 = 5 right?", None),
    ("Solve 2x + 3 = 7", None),
    ("Draw a 3x4 table with the names of the months in it", None),
    ("I have 3 apples and buy 4. What is 1 + 1?", None),
]
WRONG: list[tuple[Kind, str, str]] = [
    ("math", "What is 17 + 25?", "17 + 25 = 43"),
    ("math", "What is 17 + 25?", "The answer is 32."),
    ("math", "How much is 15% of 80?", "15% of 80 is 14."),
    ("math", "¿Cuánto es 12 por 12?", "12 por 12 son 142."),
    ("reasoning", "Ana buys 3 pens at 4 euros. Total?", "3 × 4 = 14, so she pays 14 euros."),
    ("math", "A shop sells 5 boxes of 12. How many?", "$5 \\times 12 = 65$"),
    ("math", "Compute it", "First 2 + 3 = 5. Then 5 * 4 = 24."),
    ("math", "¿Cuánto es 1.234,5 + 0,5?", "1.234,5 + 0,5 = 1.236"),
]
RIGHT: list[tuple[Kind, str, str]] = [
    ("math", "A farm had 1,500 hens and sold 30%. How many?", "30% of 1,500 = 0.30 × 1,500 = 450, so 1,050 are left"),
    ("math", "A farm had 1,500 hens and sold 30%. How many?", "30% of 1,500 = 0.30 × 1,500 = 450, so 1,050 are left"),
    ("math", "A farm had 1,500 hens and sold 30%. How many?", "30% of 1,500 = 0.30 × 1,500 = 450, so 1,050 are left"),
    ("math", "What is 17 + 25?", "forty-two"),
    ("math", "What is 1000000 / 7?", "About 142,857.14"),
    ("math", "What is 10 / 3?", "10 / 3 ≈ 3.33"),
    ("math", "What is 2 ^ 40?", "1,099,511,627,776"),
    ("math", "¿Cuánto es 1.234,5 + 0,5?", "1.234,5 + 0,5 = 1.235"),
    ("math", "Solve 2x + 3 = 7", "2x + 3 = 7, so 2x = 4 and x = 2"),
    ("math", "Is 2 + 2 = 5 right?", "No, 2 + 2 = 5 is wrong: 2 + 2 = 4."),
    ("math", "Simplify", "1/2 + 1/4 = 3/4"),
    ("math", "How far?", "In steps:\n- 3 * 4 = 12 km\n- 12 / 2 = 6 km"),
    ("math", "Divide 17 by 5", "17 / 5 = 3 remainder 2, or 3.4"),
    ("math", "Polynomial", "4^3 - 4(4)^2 + 6(4) - 24 = 64 - 64 + 24 - 24 = 0"),
    ("math", "Percent", "15 / 60 = 25%"),
    ("question_answering", "When did he live?", "He lived 1879-1955 = a long life."),
    ("math", "Cost?", "3 × $4.50 = $13.50"),
]


@pytest.mark.parametrize(("prompt", "value"), ASKED)
def test_the_asked_value_is_read_only_where_it_is_certain(prompt: str, value: Fraction | None) -> None:
    assert asked_value(prompt) == value


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arithmetic_is_named(case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert "wrong_arithmetic" in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", RIGHT)
def test_right_arithmetic_in_many_spellings_passes(case: tuple[Kind, str, str]) -> None:
    assert "wrong_arithmetic" not in reasons(*case)
