"""The calculator: exact, bounded, and nothing but arithmetic."""

import pytest
from langchain_core.tools import ToolException

from nodes.tools.calculator import CalculationError, calculator, evaluate, render


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("17 + 25", "42"),
        ("17+25=", "42"),
        ("0.1 + 0.2", "0.3"),
        ("2 × 3 ÷ 4", "1.5"),
        ("1 / 3", "0.3333333333"),
        ("-7 // 2", "-4"),
        ("7 % 4", "3"),
        ("2 ^ 10", "1024"),
        ("2 ** -2", "0.25"),
        ("sqrt(2)", "1.414213562"),
        ("sqrt(9/4)", "1.5"),
        ("9 ** 0.5", "3"),
        ("round(2.5) + abs(-3)", "5"),
        ("1,234,567 + 1", "1234568"),
        ("(3.5 - 1) * 4", "10"),
        ("-0.05", "-0.05"),
        ("123456789 * 987654321", "121932631112635269"),
        ("1000000 / 7", "142857.1429"),
        ("15% of 80", "12"),
        ("15 % de 80", "12"),
        ("12.5% of 1,000", "125"),
        ("100 / 50% of 4", "50"),
        ("10 + 15% of (80 + 20)", "25"),
        ("20% * 50", "10"),
        ("(20%)", "0.2"),
        ("25%", "0.25"),
        ("17 % 5", "2"),
        ("17 % -5", "-3"),
    ],
)
def test_arithmetic_is_exact(expression: str, value: str) -> None:
    assert render(evaluate(expression)) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "empty"),
        ("1 / 0", "division by zero"),
        ("0 ** -1", "division by zero"),
        ("5 % 0", "division by zero"),
        ("sqrt(-1)", "negative"),
        ("9 ** 9 ** 9", "digits"),
        ("10 ** 5000", "digits"),
        ("*".join(["9" * 400] * 4), "characters"),
        ("2 ** 0.3", "whole exponents"),
        ("__import__('os').system('true')", "known functions"),
        ("open('x')", "known functions"),
        ("(1).real", "not arithmetic"),
        ("'a' * 3", "not arithmetic"),
        ("True + 1", "only numbers"),
        ("1 if 2 else 3", "not arithmetic"),
        ("x + 1", "not arithmetic"),
        ("1 +", "not an arithmetic"),
        ("(" * 220 + "1" + ")" * 220, "not an arithmetic"),
        ("-" * 100 + "1", "nested"),
        ("1e999", "too large"),
        ("1\x00+1", "not an arithmetic"),
        ("80 + 15%", "of what"),
        ("100 - 5 %", "of what"),
        ("100 / 50% of (2 + 2)", "parentheses"),
    ],
)
def test_what_is_not_arithmetic_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(CalculationError, match=reason):
        evaluate(expression)


def test_the_tool_tells_a_failure_as_a_tool_error() -> None:
    assert calculator().invoke({"expression": "17 + 25"}) == "42"
    with pytest.raises(ToolException, match="division by zero"):
        calculator().invoke({"expression": "1/0"})
