"""Which layout: lists, tables, verse, dates."""

from __future__ import annotations

import re

from nodes.checks.forms.demands import ITEM, NOT_USE, any_of, full_lines
from nodes.checks.reading import words
from state.tasks import Analysis

_BULLETS = any_of(
    r"\b(?:as|in|using|with|en|como|con|usando)\s+(?:a |an |una |\w+ )?"
    r"(?:bullet(?:ed)?(?: points?| list)?s?|viñetas|lista con viñetas|lista de puntos|guiones)\b",
    r"\b(?:use|usa|utiliza) (?:bullet points|viñetas)\b",
)
_NO_BULLETS = any_of(
    rf"\b{NOT_USE}\s+(?:using |usar |any |ninguna? |las? |el ){{0,6}}(?:bullets?|bullet points?|lists?|viñetas"
    rf"|listas?)\b"
)
_NUMBERED = any_of(
    r"\b(?:as|in|using|with|make|write|give me|en|como|con|haz|escribe|dame)\s+(?:a |an |una )?"
    r"(?:numbered list|lista numerada)\b"
)
_NUMBERED_LINE = re.compile(r"^[ \t]*\(?\**\d{1,3}[.):]", re.MULTILINE)
_TABLE = any_of(
    r"\b(?:as|in|using|make|create|en|como|crea|haz|into|build|con)\s+(?:a |an |una )?"
    r"(?:markdown |comparison |simple |two-column |html ){0,6}(?:table|tabla)\b(?! of contents)"
)
_COMMAS = any_of(r"\b(?:separated by commas|comma[- ]separated|separad[oa]s por comas|entre comas)\b")
_VERSE = (
    (any_of(r"\b(?:a|one|un) haiku\b"), "a haiku has 3 lines", 3, 5),
    (any_of(r"\b(?:a|un) lim[eé]rick\b"), "a limerick has 5 lines", 4, 7),
)
"""Demand, what it means, and the lines that are let pass, a title among them."""
_DATES = (
    (re.compile(r"YYYY-MM-DD|AAAA-MM-DD"), re.compile(r"\b\d{4}-\d{2}-\d{2}\b")),
    (re.compile(r"DD/MM/(?:YYYY|AAAA)|MM/DD/YYYY"), re.compile(r"\b\d{2}/\d{2}/\d{4}\b")),
)


def check_layout(demands: str, text: str, analysis: Analysis) -> str | None:
    """Bullets, numbers, tables, commas, and the lines of two forms of verse."""
    if analysis.kind in ("code", "translation"):
        return None
    if _NUMBERED.search(demands) and not _NUMBERED_LINE.search(text):
        return "a numbered list"
    if _NO_BULLETS.search(demands):
        return "no list" if len(ITEM.findall(text)) >= 2 else None
    if _BULLETS.search(demands) and not ITEM.search(text):
        return "bullet points"
    if _TABLE.search(demands) and not re.search(r"[|\t]|<t", text) and text.count(",") < 4:
        return "a table"
    if _COMMAS.search(demands) and "," not in text and len(words(text)) > 3:
        return "separated by commas"
    return _verse(demands, text) if analysis.kind == "creative_writing" else None


def _verse(demands: str, text: str) -> str | None:
    lines = len(full_lines(text))
    for demand, meaning, least, most in _VERSE:
        if demand.search(demands) and not least <= max(lines, text.count("/") + 1) <= most:
            return f"{meaning}, not {lines}"
    return None


def check_dates(demands: str, text: str, analysis: Analysis) -> str | None:
    """Dates in the pattern that is shown."""
    if analysis.kind == "code" or not re.search(r"\d", text):
        return None
    for asked, form in _DATES:
        if (shown := asked.search(demands)) and not form.search(text):
            return f"dates as {shown.group()}"
    return None
