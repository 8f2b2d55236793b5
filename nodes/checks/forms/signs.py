"""Which signs and initials: emojis, digits, punctuation, separators, columns, what each word or item begins with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from nodes.checks.forms.demands import CLOSE, ITEM, NOT_USE, NUMBER, OPEN, any_of, full_lines, to_number
from nodes.checks.reading import FENCE, plain, words
from state.tasks import Analysis, Kind

_LETTER = rf"(?:with|by|con|por)\s+(?:the |la |an? |una )?(?:same |misma )?(?:letter|letra)\s+{OPEN}?([a-zñ])\b"
_BEGIN = r"(?:starts?|starting|begins?|beginning|empie\w+|empezar|empezando|comien\w+|inici\w+)"
_THAT = r"(?:must |should |has to |debe |deben |that |que |of which |to )?"
_EACH = any_of(
    rf"\b(?:every|each|all|cada|todas?(?: las)?|todos?(?: los)?)\s+(words?|lines?|items?|names?|palabras?|l[ií]neas?"
    rf"|nombres?|versos?)\s+(?:\w+ )?{_THAT}{_BEGIN}\s+{_LETTER}"
)
_ITEMS = any_of(
    r"\b(?:list|name|give(?: me)?|dame|nombra|enumera|menciona|dime|escribe|write)\s+"
    rf"{NUMBER}\s+[^.\n:]{{3,40}}?\b{_THAT}{_BEGIN}\s+{_LETTER}"
)
_WITHOUT = rf"\b{NOT_USE}\s+(?:using |usar |any |the |usa\w* |utilizar |ning[uú]n\w* |signos? de |signs? of ){{0,6}}"
_NEVER = (
    (any_of(rf"{_WITHOUT}(?:numbers|digits|numerals|d[ií]gitos|cifras|n[uú]meros)\b"), re.compile(r"\d"), "no digits"),
    (any_of(rf"{_WITHOUT}(?:punctuation|puntuaci[oó]n)\b"), re.compile(r"[.,;:!?¡¿]"), "no punctuation"),
    (any_of(rf"{_WITHOUT}(?:exclamation|exclamaci[oó]n)\b"), re.compile(r"[!¡]"), "no exclamation marks"),
    (any_of(rf"{_WITHOUT}(?:question marks?|interrogaci[oó]n)\b"), re.compile(r"[?¿]"), "no question marks"),
    (any_of(rf"{_WITHOUT}(?:capital letters|capitals|may[uú]sculas)\b"), re.compile(r"[A-ZÁÉÍÓÚÑ]"), "no capitals"),
)
_SIGN_WORDS = r"(?:include|add|with|use|using|incluye|incluyendo|a[nñ]ade|agrega|con|usa|usando|insert)\w*"
_EMOJI_WANTED = any_of(
    rf"\b{_SIGN_WORDS}\s+(?:at least |al menos )?(?:an?|one|two|some|un|una|dos|alg[uú]n\w*|emojis)\s?(?:emojis?)?\b"
)
_ONE_EMOJI = any_of(
    r"\b(?:with|using|only|just|con|solo|s[oó]lo|usando)\s+(?:an?|one|1|un|el)?\s*(?:single |solo |[uú]nico )?emojis?\b"
)
_EMOJI = re.compile(
    r"[\U0001F1E6-\U0001FAFF\u2190-\u21ff\u231a-\u23ff\u25a0-\u27bf\u2b00-\u2bff\u00a9\u00ae]|[:;=]-?[)D(P]|<3"
)
_ENDS = any_of(
    r"\b(?:end|ends|ending|finish\w*|termin\w+|acab\w+)\b[^.\n]{0,30}?\b(?:with|in|con|en)\s+(?:an? |un )?"
    r"(?:signo de )?(exclamation|question|exclamaci[oó]n|interrogaci[oó]n)\b"
)
_SEPARATORS = (
    (
        any_of(
            r"\b(?:separated by|separate\w* (?:\w+ ){0,3}(?:with|by)|separad[oa]s por) (?:a )?(?:semi-?colons?"
            r"|punto y coma)\b"
        ),
        ";",
    ),
    (any_of(r"\b(?:separated by|separad[oa]s por) (?:a |vertical |barras? ){0,3}(?:pipes?|bars?|verticale?s?)\b"), "|"),
)
_WRAPPED = (
    (
        any_of(
            r"\b(?:in|inside|within|between|with|entre|en)\s+(?:double |square |corchetes? )?(?:square brackets"
            r"|corchetes)\b"
        ),
        "[",
        "]",
    ),
    (
        any_of(
            r"\b(?:answer|response|respuesta|it|all|todo)\b[^.\n]{0,30}\b(?:in|inside|entre)\s+(?:parentheses"
            r"|par[eé]ntesis)\b"
        ),
        "(",
        ")",
    ),
)
_COLUMNS = any_of(rf"\b(?:table|tabla)\b[^.\n]{{0,40}}?\b{NUMBER}\s+(?:columns?|columnas?)\b")
_LAST_WORD = any_of(
    rf"\b(last|final|first|[uú]ltima|primera)\s+(?:word|palabra)\b[^.\n\"“«]{{0,40}}?\b(?:must|should|has to|be"
    rf"|is|debe|sea"
    rf"|tiene que|ser)\b[^.\n\"“«]{{0,15}}?{OPEN}([^\W\d_]{{1,30}}){CLOSE}"
)
_LEADER = re.compile(r"^[ \t]*(?:[-*•+–]|\(?\d{1,3}[.):])?\s*[\"'“«¡¿*_]{0,4}")


class _Case(NamedTuple):
    demands: str
    text: str
    prose: str
    kind: Kind


def check_signs(demands: str, text: str, analysis: Analysis) -> str | None:
    """The first demand on signs or initials that is not kept; code and translations have signs of their own."""
    if analysis.kind in ("code", "translation", "math"):
        return None
    case = _Case(demands, text, FENCE.sub("", text), analysis.kind)
    return next((told for check in _SIGNS if (told := check(case))), None)


def _initials(case: _Case) -> str | None:
    if (found := _EACH.search(case.demands)) and case.kind in ("creative_writing", "rewriting", "other"):
        letter, unit = plain(found.group(2)), found.group(1).lower()
        parts = words(case.prose) if unit[0] in "wp" else _starts(case.prose)
    elif found := _ITEMS.search(case.demands):
        letter, parts = plain(found.group(2)), _items(case.prose)
    else:
        return None
    others = [part for part in parts if part and not plain(part).startswith(letter)]
    # A title or an introduction may stand around a few lines of verse; one stray word is not worth a retry.
    return f"each with {letter}, not '{others[0][:20]}'" if len(others) >= (2 if len(parts) > 6 else 1) else None


def _starts(text: str) -> list[str]:
    return [_LEADER.sub("", line) for line in full_lines(text)]


def _items(text: str) -> list[str]:
    marked = [_LEADER.sub("", line) for line in full_lines(text) if ITEM.match(line)]
    if marked or ":" in text:
        return marked
    parts = re.split(r"\s*[,;\n]\s*(?:and |y |e )?|\s+(?:and|y|e)\s+", text.strip(" .\n"))
    return parts if all(len(part.split()) <= 2 for part in parts) else []


def _forbidden(case: _Case) -> str | None:
    text = re.sub(r"(?m)^[ \t]*\(?\d{1,2}[.)]\s", "", case.prose)  # the numbers of a list are not its content
    return next((told for asked, sign, told in _NEVER if asked.search(case.demands) and sign.search(text)), None)


def _emojis(case: _Case) -> str | None:
    wanted = _EMOJI_WANTED.search(case.demands)
    asked = (wanted and "emoji" in wanted.group().lower()) or _ONE_EMOJI.search(case.demands)
    return "an emoji" if asked and not _EMOJI.search(case.text) else None


def _last_sign(case: _Case) -> str | None:
    if (found := _ENDS.search(case.demands)) is None:
        return None
    sign = "!" if found.group(1).lower().startswith("excl") else "?"
    return None if case.text.rstrip("\"'”»*_ ").endswith(sign) else f"ends with '{sign}'"


def _separators(case: _Case) -> str | None:
    asked = [sign for pattern, sign in _SEPARATORS if pattern.search(case.demands)]
    return f"separated by '{asked[0]}'" if asked and asked[0] not in case.text and len(words(case.text)) > 1 else None


def _wrapped(case: _Case) -> str | None:
    for pattern, opens, closes in _WRAPPED:
        if pattern.search(case.demands) and opens not in case.text and closes not in case.text:
            return f"between {opens}{closes}"
    return None


def _columns(case: _Case) -> str | None:
    found = _COLUMNS.search(case.demands)
    rows = [line.strip().strip("|") for line in full_lines(case.text) if line.count("|") >= 1]
    if found is None or not rows:
        return None
    held, wanted = rows[0].count("|") + 1, to_number(found.group(1))
    return f"{wanted} columns, has {held}" if held != wanted else None


def _edge_word(case: _Case) -> str | None:
    found, said = _LAST_WORD.search(case.demands), words(case.prose)
    if found is None or not said:
        return None
    last = found.group(1).lower() not in ("first", "primera")
    wanted = found.group(2).lower()
    return None if plain(said[-1 if last else 0]) == plain(wanted) else f"{found.group(1).lower()} word '{wanted}'"


_SIGNS: tuple[Callable[[_Case], str | None], ...] = (
    _initials,
    _forbidden,
    _emojis,
    _last_sign,
    _separators,
    _wrapped,
    _columns,
    _edge_word,
)
