"""Requests that need no classifier: what they are can be told for certain."""

from __future__ import annotations

import re

from state.tasks import Kind

MAX_CHARS = 400
_DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
_NUMBER = r"\d[\d.,]{0,30}"
_SUM = re.compile(rf"{_NUMBER} {{0,3}}(?:[-+*/×÷^−%]|x(?= {{0,3}}\d)) {{0,3}}\(? {{0,3}}{_NUMBER}")
"""Two numbers joined by an operator."""
_FIGURES = re.compile(r"[\d\s.,()+*/×÷^−=%?¿!-]+(?:x[\d\s.,()+*/×÷^−=%?¿!-]+)*")


def certain_kind(prompt: str) -> Kind | None:
    """`math` for a bare sum, `other` for what holds neither letter nor sum; None where words have to be looked at."""
    text = _DATE.sub(" ", prompt[:MAX_CHARS]).strip()
    if len(prompt) <= MAX_CHARS and _FIGURES.fullmatch(text) and _SUM.search(text):
        return "math"
    if not any(char.isalpha() for char in prompt[: 10 * MAX_CHARS]) and not _SUM.search(text):
        return "other"
    return None
