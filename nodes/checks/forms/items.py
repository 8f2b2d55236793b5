"""How many items, in which order, each on its line; which labels."""

from __future__ import annotations

import re

from nodes.checks.forms.demands import ITEM, NUMBER, UNIT, any_of, bare, full_lines, to_number
from nodes.checks.reading import inline_items, plain, sentences, words
from state.tasks import Analysis

_THINGS = r"((?:[^\W\d_]+[ -]){0,2}?[^\W\d_]{3,}s)\b"
_LISTED = any_of(
    r"\b(?:list|name|give(?: me)?|write|suggest|provide|propose|mention|tell me|generate|create|recommend|enumera"
    r"|nombra|dame"
    r"|escribe|sugiere|prop[oó]n|menciona|dime|genera|crea|haz una lista de|lista(?: de)?|indica|cita|recomienda)\s+"
    r"(?:me |us |exactly |only |just |exactamente |solo |s[oó]lo |the |los |las |a list of |una lista de |top |my "
    r"|your |a "
    rf"|different |main |diferentes |distint[oa]s ){{0,6}}{NUMBER}\s+{_THINGS}",
    r"\b(?:in|en|as|como|with|con|using|usando|use|usa|exactly|exactamente)\s+(?:exactly |only |just |exactamente "
    r"|solo ){0,6}"
    rf"{NUMBER}\s+((?:[^\W\d_]+[ -])?(?:bullet ?points?|bullets|points|items|steps|puntos|viñetas|elementos|pasos|ideas"
    r"|examples|ejemplos|reasons|razones|adjectives|adjetivos|tips|consejos|keywords|palabras clave))\b",
    rf"\b(?:list|lista)\s+(?:\w+ )?(?:of|de|con|with)\s+(?:exactly |exactamente |solo "
    rf"|only ){{0,2}}{NUMBER}\s+{_THINGS}",
    rf"\A\W*{NUMBER}\s+{_THINGS}(?=\s+(?:for|of|about|that|to|from|in|para|de|sobre|que|del)\b)",
    rf"\b(?:what|which|cu[aá]les) (?:are|son) (?:the |los |las )?{NUMBER}\s+{_THINGS}",
)
_NOT_THINGS = any_of(
    rf"\b(?:{UNIT}|minutes?|minutos?|years?|a[nñ]os?|days?|d[ií]as?|weeks?|semanas?|hours?|horas?|characters?"
    rf"|caracteres|times"
    r"|veces|d[oó]lares|dollars|euros|people|personas|parts|partes|digits|pages|p[aá]ginas)\b"
)
_LOOSE = any_of(r"\b(?:each|every|cada|at least|al menos|or more|o m[aá]s|between|entre|to \d)\b")
_PER_LINE = any_of(
    r"\b(?:one|each|un[oa]|cada un[oa])\b[^.\n]{0,20}\b(?:per line|on (?:a|its) (?:new|own|separate) line|por l[ií]nea"
    r"|en una l[ií]nea)\b"
)
_ALPHABETICAL = any_of(
    r"\b(?:in alphabetical order|alphabetically|(?:en|por) orden alfab[eé]tico|alfab[eé]ticamente)\b"
)
_NUMBERED_LINE = re.compile(r"[ \t]*\(?(?:\*\*|#+ )?(\d{1,3})[.):]")
_LEADER = re.compile(r"^[ \t]*(?:[-*•+–]|\(?\d{1,3}[.):])\s*")
_AND = re.compile(r",\s*(?:and |y |e |or |o )?|\s+(?:and|y|e)\s+")
_NAME = "[^\\W\\d_][\\w -]{0,30}?[\"'”»]?"
_LABELS = (
    any_of(
        rf"\b(?:as|como|into|en|between|entre)\s*:?\s+((?:(?:either |one of |una de "
        rf"|uno de )?[\"'“«]?{_NAME}\s*[,/;]\s*){{0,12}}"
        rf"[\"'“«]?[^\W\d_][\w-]{{1,30}}[\"'”»]?,?\s+(?:or|o|u)\s+[\"'“«]?{_NAME})"
        r"(?=[.:,;\n?)]|\s*$|\s+(?:based|seg[uú]n|and|y|the|el|la)\b)"
    ),
    any_of(
        r"\b(?:options|labels|categories|choices|classes|opciones|etiquetas|categor[ií]as|clases)"
        r"(?: are| son| possible| posibles| disponibles| available)?\s*[:=(]\s*\(?\s*([^\n.:)]{3,300})"
    ),
    any_of(r"\b(?:labels?|etiquetas?|categor(?:y|[ií]as?)|options?|one of|una de)\s*\(([^)\n]{3,200})\)"),
    any_of(r"\b(?:is|are|es|son)\b[^?:\n]{0,60}?\b([^\W\d_]+(?:, [^\W\d_]+){0,8},? (?:or|o) [^\W\d_]+)\s*\?"),
)
_BETWEEN_LABELS = re.compile(r"\s*(?:,|/|;|\bor\b|\bo\b|\bu\b|\band\b|\by\b|\|)\s*", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:either|one of|una de|uno de|the|el|la)\s+", re.IGNORECASE)
_NO_LABEL = any_of(r"\b(?:none|neither|ningun\w+|no|mixed|yes|si)\b")


def check_items(demands: str, text: str, analysis: Analysis) -> str | None:
    """The number of items, where the answer is a list whose items can be told."""
    found = _LISTED.search(demands)
    if found is None or analysis.kind in ("code", "translation", "math") or _LOOSE.search(demands):
        return None
    amount, things = [group for group in found.groups() if group][:2]
    wanted = to_number(amount)
    if not 2 <= wanted <= 50 or _NOT_THINGS.search(things):
        return None
    alone = len(text.split()) <= 3 and not re.search(r"[,;\n/]| (?:and|y|e|or|o) ", text)
    held = 1 if alone else count_items(text)
    if held is None or held == wanted or (held == 1 and wanted > 3 and not alone):
        return None
    return f"{wanted} {things}, has {held}"


def count_items(text: str) -> int | None:
    """Items of the one list; of a single line, its parts between commas. None where it is not one list."""
    lines = full_lines(text)
    numbers = [int(found.group(1)) for line in lines if (found := _NUMBERED_LINE.match(line))]
    if numbers:
        return len(numbers) if numbers == list(range(1, len(numbers) + 1)) else None
    if inline := inline_items(text):
        return inline
    if any(ITEM.match(line) for line in lines):
        return _outer_items(lines)
    if len(lines) == 1 and "," in text:
        parts = [part for part in _AND.split(sentences(text)[0].split(":")[-1].rstrip(".")) if part.strip()]
        return len(parts) if parts and max(len(part.split()) for part in parts) <= 4 else None
    return None


def _outer_items(lines: list[str]) -> int | None:
    """Items that are indented least; None where a line of text stands between them: then it is several lists."""
    indents = [len(line) - len(line.lstrip()) for line in lines]
    marked = [place for place, line in enumerate(lines) if ITEM.match(line)]
    outer = min(indents[place] for place in marked)
    items = [place for place in marked if indents[place] == outer]
    inside = range(items[0], items[-1])
    return None if any(indents[place] <= outer and not ITEM.match(lines[place]) for place in inside) else len(items)


def check_order(demands: str, text: str, analysis: Analysis) -> str | None:
    """One item a line, or in alphabetical order."""
    if _PER_LINE.search(demands) and "\n" not in text and re.search(r"[,;]| (?:and|y) ", text):
        return "one per line"
    if analysis.kind == "code" or not _ALPHABETICAL.search(demands):
        return None
    items = [" ".join(words(_LEADER.sub("", line))) for line in text.splitlines() if ITEM.match(line)]
    if not items and "," in text and "\n" not in text:
        items = [" ".join(words(part)) for part in text.split(":")[-1].split(",")]
    short = len(items) >= 3 and all(len(item.split()) <= 4 for item in items)
    return "in alphabetical order" if short and items not in (sorted(items), sorted(items, key=plain)) else None


def labels_of(demands: str) -> list[str]:
    """The labels that a classification offers; empty where they cannot be told."""
    for pattern in _LABELS:
        if found := pattern.search(demands):
            parts = [part.strip(" \"'“”«»‘’`()[].-*") for part in _BETWEEN_LABELS.split(found.group(1))]
            labels = [_ARTICLE.sub("", part) for part in parts if part]
            if 2 <= len(labels) <= 15 and all(1 <= len(label.split()) <= 4 for label in labels):
                return labels
    return []


def check_label(demands: str, text: str, analysis: Analysis) -> str | None:
    """A classification names one of its labels, in whichever form of the word, or an option's letter."""
    if analysis.kind != "classification":
        return None
    labels, said = labels_of(demands), bare(text)
    if not labels or len(said) <= 2 or any(_stem(label) in said for label in labels) or _NO_LABEL.search(said):
        return None
    return f"one of {', '.join(labels[:6])}"


def _stem(label: str) -> str:
    form = bare(label)
    return form[: max(4, len(form) - 2)] if len(form) > 4 else form
