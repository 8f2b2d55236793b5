"""Comparisons of two numbers that come out wrong: `Is 355 greater than 436?`, `¿Cuál es mayor, 12 o 30?`."""

from __future__ import annotations

import re
from fractions import Fraction

from state.tasks import Analysis, Reason

_NUMBER = r"(-?\d{1,15}(?:\.\d{1,10})?)"
_MORE = r"greater|bigger|larger|higher|more|mayor|m[aá]s (?:grande|alto)"
_LESS = r"smaller|less|lower|menor|m[aá]s (?:pequeñ[oa]|bajo)"
_YES_NO = re.compile(rf"(?:\bis|\bes) {_NUMBER} ({_MORE}|{_LESS}) (?:than|que) {_NUMBER}\s*\?*\W*\Z", re.IGNORECASE)
_WHICH = re.compile(
    rf"\b(?:which|what|cu[aá]l)\b.{{0,30}}\b({_MORE}|{_LESS}|largest|greatest|biggest|smallest|lowest)\b.{{0,20}}?"
    rf"{_NUMBER}\s*(?:,|or|o|and|y)\s*{_NUMBER}\s*\?*\W*\Z",
    re.IGNORECASE,
)
_IS_LESS = re.compile(rf"{_LESS}|smallest|lowest", re.IGNORECASE)
_YES, _NO = re.compile(r"\W*(?:yes|s[ií])\b", re.IGNORECASE), re.compile(r"\W*no\b", re.IGNORECASE)
_SAID = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,10})?(?!\w)")
MAX_CHARS = 300
"""Of a prompt and an answer: only a plain question with a plain answer is judged."""


def check_comparison(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The answer says yes where it is no, no where it is yes, or names the other of two numbers."""
    prompt, answer = prompt.strip(), answer.strip()
    if len(prompt) > MAX_CHARS or len(answer) > MAX_CHARS:
        return None
    if found := _YES_NO.search(prompt):
        return _wrong_yes_or_no(found, answer)
    if found := _WHICH.search(prompt):
        return _wrong_number(found, answer)
    return None


def _wrong_yes_or_no(asked: re.Match[str], answer: str) -> Reason | None:
    one, how, other = asked.groups()
    holds = Fraction(one) < Fraction(other) if _IS_LESS.match(how) else Fraction(one) > Fraction(other)
    if (_NO if holds else _YES).match(answer) is None:
        return None
    return Reason(name="wrong_arithmetic", evidence=f"{one} is {_relation(one, other)} {other}", weight=0.9)


def _wrong_number(asked: re.Match[str], answer: str) -> Reason | None:
    how, *numbers = asked.groups()
    if Fraction(numbers[0]) == Fraction(numbers[1]):
        return None
    choose = min if _IS_LESS.match(how) else max
    right = choose(numbers, key=Fraction)
    said = _SAID.findall(answer)
    # An answer that weighs both numbers names both; only one that settles on the wrong one is judged.
    if not said or any(Fraction(number) == Fraction(right) for number in said):
        return None
    other = numbers[0] if right == numbers[1] else numbers[1]
    return Reason(name="wrong_arithmetic", evidence=f"{right} is {_relation(right, other)} {other}", weight=0.9)


def _relation(one: str, other: str) -> str:
    if Fraction(one) == Fraction(other):
        return "equal to"
    return "less than" if Fraction(one) < Fraction(other) else "greater than"
