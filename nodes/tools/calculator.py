"""The calculator: exact arithmetic over an allowlist of operators, never `eval`."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

from langchain_core.tools import BaseTool, ToolException, tool

MAX_EXPRESSION_CHARS = 500
MAX_DEPTH = 40
MAX_DIGITS = 1_000
"""A larger intermediate result is refused, so that `9**9**9` costs nothing."""

_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[[Fraction], Fraction]] = {
    "abs": abs,
    "round": lambda x: Fraction(round(x)),
    "floor": lambda x: Fraction(math.floor(x)),
    "ceil": lambda x: Fraction(math.ceil(x)),
    "sqrt": lambda x: _square_root(x),
}
_NUMBER = r"(?<![\d.])(\d+(?:\.\d+)?)"
_PERCENT_OF = re.compile(rf"{_NUMBER} *% *(?:of|de)\b *(?:{_NUMBER}|(?=\())", re.IGNORECASE)
_PERCENT = re.compile(rf"{_NUMBER} *%(?= *(?:[*/)]|$))")
_PERCENT_MORE = re.compile(rf"[\d)] *[+-] *{_NUMBER} *%$")
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "^": "**", "[": "(", "]": ")"})


class CalculationError(ValueError):
    """The expression is not arithmetic, or its value does not exist; the message says which part."""


def evaluate(expression: str) -> Fraction:
    """The exact value of an arithmetic expression: `+ - * / // % **`, parentheses, abs, round, floor, ceil, sqrt.

    A per cent is a hundredth: `15% of 80`, `20% * 50`; between two numbers `%` is the remainder.

    Numbers are read as decimals, so `0.1 + 0.2` is exactly `3/10`; a comma between digits groups thousands.
    Raises CalculationError.
    """
    text = _strip_thousands(expression.translate(_SPELLINGS)).strip().rstrip("=? ").strip()
    if not text:
        raise CalculationError("the expression is empty")
    if len(text) > MAX_EXPRESSION_CHARS:
        raise CalculationError(f"the expression has {len(text)} characters, {MAX_EXPRESSION_CHARS} are allowed")
    text = _read_percentages(text)
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise CalculationError(f"'{_shorten(text)}' is not an arithmetic expression") from error
    return _value(tree.body, depth=0)


def render(value: Fraction) -> str:
    """A value as people write it: integers whole, terminating decimals exactly, others to 10 significant digits."""
    if value.denominator == 1:
        return str(value.numerator)
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator == 1 and len(exact := _exact_decimal(value)) <= 20:
        return exact
    return f"{float(value):.10g}" if abs(value) < 10**300 else f"about 10^{len(str(abs(int(value)))) - 1}"


def calculator() -> BaseTool:
    """The tool that models see: `calculator(expression)`."""

    @tool("calculator")
    def calculate(expression: str) -> str:
        """Work out an arithmetic expression exactly, such as `17 + 25` or `(3.5 - 1) * 4`."""
        try:
            return render(evaluate(expression))
        except CalculationError as error:
            raise ToolException(str(error)) from error

    return calculate


def _value(node: ast.expr, depth: int) -> Fraction:
    if depth > MAX_DEPTH:
        raise CalculationError(f"the expression is nested deeper than {MAX_DEPTH} levels")
    match node:
        case ast.Constant(value=bool()):
            raise CalculationError("only numbers are calculated")
        case ast.Constant(value=int() | float() as number):
            if isinstance(number, float) and not math.isfinite(number):
                raise CalculationError("a number is too large")
            return _bounded(Fraction(str(number)))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, depth + 1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, depth + 1), _value(right, depth + 1))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            try:
                return _bounded(_BINARY[type(op)](_value(left, depth + 1), _value(right, depth + 1)))
            except ZeroDivisionError as error:
                raise CalculationError("division by zero") from error
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, depth + 1))
        case ast.Call():
            raise CalculationError(f"known functions, each of one number: {', '.join(sorted(_FUNCTIONS))}")
    raise CalculationError(f"'{_shorten(ast.unparse(node))}' is not arithmetic")


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent == Fraction(1, 2):
        return _square_root(base)
    if exponent.denominator != 1:
        raise CalculationError("only whole exponents and square roots are calculated")
    if base == 0 and exponent < 0:
        raise CalculationError("division by zero")
    digits = max(len(str(base.numerator)), len(str(base.denominator)))
    if base not in (0, 1, -1) and abs(exponent) * digits > MAX_DIGITS:
        raise CalculationError(f"the result would have more than {MAX_DIGITS} digits")
    return base ** int(exponent)


def _square_root(value: Fraction) -> Fraction:
    if value < 0:
        raise CalculationError("a negative number has no real square root")
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    # 30 digits of the root: more than `render` shows, so the printed value is right.
    return Fraction(math.isqrt(value.numerator * value.denominator * 10**60), value.denominator * 10**30)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_DIGITS * 3.33:
        raise CalculationError(f"the result would have more than {MAX_DIGITS} digits")
    return value


def _exact_decimal(value: Fraction) -> str:
    """The decimal expansion of a fraction whose denominator has no primes but 2 and 5."""
    places = 0
    while value.denominator != 1:
        value, places = value * 10, places + 1
    digits = str(abs(value.numerator)).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _read_percentages(text: str) -> str:
    """`15% of 80` → `(15/100*80)`, `20% * 5` → `(20/100) * 5`. What means two things, as `80 + 15%`, is refused."""
    if more := _PERCENT_MORE.search(text):
        raise CalculationError(f"'{more[1]}%' of what? write {more[1]}% of 80, or 80 * 1.15 for 15% more")

    def share(found: re.Match[str]) -> str:
        if found[2]:
            return f"({found[1]}/100*{found[2]})"
        if text[: found.start()].rstrip()[-1:] in ("*", "/"):
            raise CalculationError(f"put parentheses around '{found[0].strip()} (...)'")
        return f"{found[1]}/100*"

    return _PERCENT.sub(r"(\1/100)", _PERCENT_OF.sub(share, text))


def _strip_thousands(text: str) -> str:
    """`1,234` → `1234`; a comma elsewhere stays and is refused by the parser."""
    parts = text.split(",")
    joined = parts[0]
    for before, part in pairwise(parts):
        grouped = before[-1:].isdigit() and part[:3].isdigit() and len(part[:3]) == 3 and not part[3:4].isdigit()
        joined += part if grouped else "," + part
    return joined


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
