"""How long: words, characters, sentences, lines, paragraphs."""

from __future__ import annotations

import re

from nodes.checks.forms.demands import NUMBER, UNIT, any_of, full_lines, to_number
from nodes.checks.reading import plain, sentences
from state.tasks import Analysis

_AT_MOST = (
    r"at (?:the )?most|no (?:more|longer) than|not (?:more|longer) than|shorter than|fewer than|less than|under|below"
    r"|(?:a )?max(?:\.|imum)?(?: length)?(?: of|:)?|within|up to|not exceed(?:ing)?|limit\w* (?:it |yourself "
    r"|your \w+ )?"
    r"(?:to|of)|como (?:m[aá]ximo|mucho)|a lo sumo|(?:un )?m[aá]ximo(?: de|:)?|no m[aá]s de|m[aá]s cort[oa] (?:que|de)"
    r"|menos de|hasta|l[ií]mite de|lim[ií]ta\w*(?: la \w+)? a"
    r"|no (?:te )?(?:pase|exceda|supere|sobrepase)[ns]?(?: de)?(?: las| los)?"
)
_COUNTED = rf"{UNIT}|characters?|caracteres"
_LIMIT = any_of(
    rf"\b(?:{_AT_MOST})\s+{NUMBER}\s+({_COUNTED})\b",
    rf"\b{NUMBER}\s+({_COUNTED})\s+(?:or (?:less|fewer)|at (?:the )?most|maximum|max|tops|o menos|como (?:m[aá]ximo"
    rf"|mucho)"
    r"|m[aá]ximo|a lo sumo)\b",
)
_BETWEEN = any_of(rf"\b(\d{{1,4}})\s*(?:and|y|to|a|-|–)\s*(\d{{1,4}})\s+({_COUNTED})\b")
_LEAST = any_of(
    rf"\b(?:at least|no less than|al menos|como m[ií]nimo|m[ií]nimo(?: de)?)\s+{NUMBER}\s+(words|palabras|sentences"
    rf"|frases)\b"
)
_EXACT = any_of(
    r"(exactly |exactamente |precisely |justo |just |only |solo |s[oó]lo |\bin |\ben |using |\bof |\bde |\bcon "
    r"|with |write "
    r"|escribe |give me |dame |\ba |\bun |\buna |, )(?:a |an |un |una |de |me |exactly |exactamente |only |solo ){0,6}"
    rf"{NUMBER}[\s-]+(?:(?:short|simple|brief|single|long|complete|breves?|cortas?|sola|simples?|completas?"
    rf"|rhyming)[\s-]+)?"
    rf"({UNIT})\b"
)
_STRICT = any_of("exact", "precis", "justo")
_BOUND = any_of(
    r"\b(?:m[aá]s|menos|m[aá]ximo|m[ií]nimo|least|most|than|hasta|up to|under|over|below|within|pase|exceda|supere)\b"
)
_EACH = any_of(r"\b(?:each|every|per|cada|apiece|bullets?|headings?|stories|entries|titles|t[ií]tulos)\b")
_ONE_BY_ONE = any_of(
    r"\s*(?:that|que|starting|beginning|from|del|de la|with|con|related|relacionad\w+|where|donde|whose|ending)\b"
)
_LISTING = any_of(r"(?:write|escribe|give me|dame|with|con|using|exact)")
_OR_MORE = any_of(r"\s*(?:or more|o m[aá]s|o |in (?:spanish|english))")
_SINGULAR_OF = any_of(
    r"[\s-]*(?:[^\W\d_]{3,15} )?(?:summary|answer|reply|response|description|essay|slogan|story|poem"
    r"|explanation|definition|caption|review"
    r"|tagline|paragraph)\b"
)
_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Sr|Sra|St|vs|etc|e\.g|i\.e|p\. ?ej|EE\. ?UU|U\.S|No|Prof|[A-Z])\.")


def check_length(demands: str, text: str, analysis: Analysis) -> str | None:
    """A little over is let pass: people count differently."""
    return (
        _over_limit(demands, text)
        or _outside_range(demands, text)
        or _not_exact(demands, text, analysis)
        or _under_least(demands, text)
    )


def _over_limit(demands: str, text: str) -> str | None:
    for found in _LIMIT.finditer(demands):
        amount, unit = [group for group in found.groups() if group]
        wanted = to_number(amount)
        held, slack = measure(unit, text, wanted)
        tolerated = max(slack, wanted // 10 if unit.lower()[0] in "wpc" else 0)
        if held > wanted + tolerated and not _of_parts(found, demands):
            return f"at most {wanted} {unit}, has {held}"
    return None


def _outside_range(demands: str, text: str) -> str | None:
    for found in _BETWEEN.finditer(demands):
        least, most, unit = int(found.group(1)), int(found.group(2)), found.group(3)
        held, slack = measure(unit, text, most)
        if not 0.85 * least - slack <= held <= 1.15 * most + slack:
            return f"{least} to {most} {unit}, has {held}"
    return None


def _under_least(demands: str, text: str) -> str | None:
    for found in _LEAST.finditer(demands):
        wanted = to_number(found.group(1))
        held, _ = measure(found.group(2), text, wanted)
        if held < 0.85 * wanted:
            return f"at least {wanted} {found.group(2)}, has {held}"
    return None


def _not_exact(demands: str, text: str, analysis: Analysis) -> str | None:
    if analysis.kind == "code":
        return None
    for found in _EXACT.finditer(demands):
        if not _is_a_length(found, demands):
            continue
        wanted, unit, strict = to_number(found.group(2)), found.group(3), _STRICT.search(found.group()) is not None
        held, slack = measure(unit, text, wanted)
        if unit.lower().startswith(("word", "palabra")) and not strict and wanted > 5:
            slack = max(slack, wanted // 3 if wanted < 300 else wanted)
        if analysis.kind in ("classification", "extraction", "translation") and not strict:
            slack += 2  # the label or the text comes on top
        if abs(held - wanted) > slack:
            return f"{wanted} {unit}, has {held}"
    return None


def _is_a_length(found: re.Match[str], demands: str) -> bool:
    """Not a bound, not of each part, not words to be listed, not an "eight word" of something else."""
    before, after = demands[max(0, found.start() - 15) : found.start(2)], demands[found.end() :]
    unit = found.group(3).lower()
    listed = _LISTING.match(found.group(1)) and _ONE_BY_ONE.match(after)
    if unit.startswith(("word", "palabra")) and (
        listed or re.search(r"\b(?:list of|lista de)\b", before, re.IGNORECASE)
    ):
        return False
    singular = not unit.endswith("s") and to_number(found.group(2)) > 1
    if _OR_MORE.match(after) or (singular and not _SINGULAR_OF.match(after)):
        return False
    return not _of_parts(found, demands) and not _BOUND.search(before)


def _of_parts(found: re.Match[str], demands: str) -> bool:
    """A bound on each part, not on the whole."""
    near = demands[max(0, found.start() - 30) : found.start()] + " " + demands[found.end() : found.end() + 8]
    return _EACH.search(near) is not None


def measure(unit: str, text: str, wanted: int) -> tuple[int, int]:
    """How much a text has of a unit, and how far people's counts of it differ."""
    unit = plain(unit)
    if unit.startswith(("word", "palabra")):
        return len(text.split()), 0 if wanted <= 12 else 2
    if unit.startswith(("char", "carac")):
        return len(text), 3
    if unit.startswith(("line", "linea", "verso")):
        first, _, rest = text.strip().partition("\n")
        titled = bool(first) and bool(rest) and not rest.split("\n", 1)[0].strip()
        return len(full_lines(text)) - titled, 0
    if unit.startswith(("para", "parr", "stanza", "estrofa")):
        parts = [part.strip() for part in re.split(r"\n\s*\n", text.strip())]
        kept = [part for part in parts if len(part.split()) > 8 and not part.startswith("#") and not part.endswith(":")]
        return len(kept) or 1, 0
    counted = [part for part in sentences(_ABBREVIATION.sub(" ", text)) if len(part.split()) > 1 and part[-1] != ":"]
    return len(counted), 0 if wanted <= 4 else 1
