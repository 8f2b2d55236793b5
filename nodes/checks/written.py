"""Numbers and sums as people write them: LaTeX, words, commas and points of both languages."""

from __future__ import annotations

import re
from fractions import Fraction

from nodes.tools.calculator import CalculationError, evaluate

NUM = r"\d+(?:[.,]\d+)*"
OPERATOR = r"(?:\*\*|[-+*/×÷·^−–])"
DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b|\b\d{1,2}:\d{2}\b|\b[12]\d{3}[-–][12]\d{3}\b")
TERM = rf"(?:[-−](?=[\d(])|\(\s?){{0,4}}{NUM}(?:\s?\)){{0,4}}"
SUM = rf"{TERM}(?:\s?{OPERATOR}\s?{TERM}){{1,30}}"
EXPRESSION = re.compile(rf"(?<![\w.,=²³√]){SUM}(?![\w²³%])")
PERCENT = re.compile(
    rf"(?<![\d.,])({NUM})\s*(?:%|percent|por ?ciento)\s*(?:of|de|from)\s*(?:\$|€|£)?\s*({NUM})(?!\s*%)", re.IGNORECASE
)
NUMBER = re.compile(rf"(?<![\w.,])[-−]?\s?{NUM}|(?<=[$€£]){NUM}|{NUM}")
_LATEX = (
    (re.compile(r"\\d?frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}"), r"(\1)/(\2)"),
    (re.compile(r"\\times|\\cdot|\\ast"), "*"),
    (re.compile(r"\\div"), "/"),
    (re.compile(r"\\approx"), "≈"),
    (re.compile(r"\\(?:left|right|boxed|text\w*|mathbf|mathrm|quad|,|;|!|\(|\)|\[|\])|[{}$€£]|&nbsp;"), ""),
)
_UNIT = re.compile(
    r"(\d) ?(?!(?:plus|minus|times|by|por|m[aá]s|menos|entre|over|divided|of|de|is|es|son|da|dan|equals"
    r"|x)\b)[a-zA-Zñáéíóú]{2,14}(?= ?[-+*/×÷=−] ?[\d($€£])"
)
"""A word between a number and an operator: `3 apples + 4 apples = 7 apples`."""
_SPOKEN = (
    (re.compile(r"(?<=\d)\s+(?:plus|added to|m[aá]s)\s+(?=\d)", re.I), " + "),
    (re.compile(r"(?<=\d)\s+(?:minus|less|menos)\s+(?=\d)", re.I), " - "),
    (re.compile(r"(?<=\d)\s+(?:times|multiplied by|multiplicado por|por)\s+(?=\d)", re.I), " * "),
    (re.compile(r"(?<=\d)\s+(?:divided by|over|entre|dividido (?:entre|por))\s+(?=\d)", re.I), " / "),
    (re.compile(r"(?<=\d)\s*[xX]\s*(?=\d)"), " * "),
    (re.compile(r"(?<=\d)\s+to the power of\s+(?=\d)|(?<=\d)\s+elevado a\s+(?:la\s+)?(?=\d)", re.I), " ^ "),
)


def normal(text: str) -> str:
    """LaTeX, spoken operators and currency signs as plain arithmetic.

    No two blanks stay in a row: on runs of them the patterns would be quadratic.
    """
    text = re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", text))
    if "\\" in text or "$" in text or "€" in text or "{" in text:
        for pattern, plain in _LATEX:
            text = pattern.sub(plain, text)
    text = _UNIT.sub(r"\1 ", text)
    for pattern, sign in _SPOKEN:
        text = pattern.sub(sign, text)
    return text.replace("²", "^2").replace("³", "^3")


def evaluated(expression: str) -> Fraction | None:
    for text in _spellings(expression):
        try:
            return evaluate(text)
        except CalculationError:
            continue
    return None


def _spellings(expression: str) -> list[str]:
    """An expression as an English writer means it, then as a Spanish one does (`1.234,5`)."""
    text = re.sub(r"\s+(?=[.,])", "", expression.replace("·", "*")).strip()
    missing = text.count(")") - text.count("(")
    text = text[: len(text) - missing] if missing > 0 and text.endswith(")" * missing) else text
    return [text, text.replace(".", "").replace(",", ".")] if "," in text else [text]


def to_fraction(text: str) -> Fraction:
    return max(readings(text), key=lambda value: value.denominator == 1, default=Fraction(0))


def readings(text: str) -> list[Fraction]:
    """What a written number may mean: commas and full stops group thousands or begin the decimals."""
    digits = text.replace(" ", "").replace("−", "-").strip(".,")
    candidates = {digits.replace(",", "")}
    if "," in digits or re.search(r"\.\d{3}(?:\D|$)", digits):
        candidates |= {digits.replace(".", "").replace(",", "."), digits.replace(".", "").replace(",", "")}
    readings = []
    for candidate in sorted(candidates):
        try:
            readings.append(Fraction(candidate))
        except (ValueError, ZeroDivisionError):
            continue
    return readings


def close(claimed: Fraction, exact: Fraction) -> bool:
    """Equal up to the usual rounding: half a hundredth, or one part in a thousand; whole numbers exactly."""
    if exact.denominator == 1:
        return claimed == exact
    return abs(claimed - exact) <= max(Fraction(1, 100), abs(exact) / 1_000) or claimed == round(exact)
