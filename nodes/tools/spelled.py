"""Tool calls that a request spells out whole, so that no model is needed to make them: `Reverse the word house`.

Small models tell a tool's result better than they make the call. Nothing is guessed here: a request that holds more
than the operation and its material spells out no call.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from nodes.tools.units import find_unit

MAX_CHARS = 600


class SpelledCall(NamedTuple):
    """A call as a model would have made it."""

    name: str
    arguments: dict[str, str | float]


_QUOTED = re.compile(r"[\"“«']([^\"”»'\n]{1,400})[\"”»'](?!\w)")
_EDGES = " \t\n\"'“”«»‘’`.,;:!?¡¿"
# Words that requests are made of, not their material; a word is only dropped at the two ends.
_WORDS = frozenset(
    "a all an alphabetical alphabetically ascending are at backwards be can capitals caps case characters contain "
    "contains convert could count descending do does following from give has have here high highest how in into is "
    "it its largest letter letters long low lower lowercase lowest make many me number numbers of on order please "
    "put reverse reversed say sentence smallest sort spell spelled string tell text that the them there these this "
    "to turn type upper uppercase what what's which with word words would write written you "
    "al alfabetica alfabeticamente alfabetico ascendente aqui como con contiene convierte cual cuantas cuantos "
    "cuenta da dale de del descendente di dime el en es escribe esta estas este esto estos favor frase hay "
    "invertida invertido invierte la las letra letras lo los mayor mayuscula mayusculas me menor minuscula "
    "minusculas numero numeros orden ordena palabra palabras pasa pon por puedes que reves se siguiente son texto "
    "tiene transforma un una vuelta y".split()
) | {""}
_TWO_WORDS = re.compile(r"\b(?:upper|lower|capital|small)[ -](?:case|letters)\b", re.IGNORECASE)
_HOW = r"(?:how many|count|number of|cuant[oa]s|cuenta|numero de)\b.{0,12}\b"
_REVERSE = re.compile(r"\b(?:reverse|backwards|invierte|al reves|dale la vuelta)\b")
_UPPER = re.compile(r"\b(?:upper ?case|capital letters|capitals|all caps|mayusculas)\b")
_LOWER = re.compile(r"\b(?:lower ?case|small letters|minusculas)\b")
_SORT = re.compile(r"\b(?:sort|ordena|alphabetic\w+|alfabetic\w+|order from|(?:ascending|descending) order)\b")
_DOWN = re.compile(r"\b(?:descending|largest to smallest|high(?:est)? to low(?:est)?|mayor a menor|descendente)\b")
_LETTERS, _COUNTED_WORDS = re.compile(_HOW + r"(?:letters|letras)\b"), re.compile(_HOW + r"(?:words|palabras)\b")
_TODAY = re.compile(
    r"(?:what|which) (?:day|date) is (?:it )?today|what day is it|(?:what is |what's )?(?:today's|the) date"
    r"|que (?:dia|fecha) es(?: hoy)?|a que (?:dia|fecha) estamos|(?:dime )?la fecha de hoy"
)
_NOW = re.compile(r"what time is it(?: now)?|what(?: i|')s the time|que hora es(?: ahora)?|dime la hora")
_NUMBER = r"(-?\d{1,15}(?:\.\d{1,10})?)"
_FROM_TO = re.compile(
    rf"(?:please |por favor )?(?:convert|convierte|pasa|what is|how much is|cuanto (?:es|son))? ?{_NUMBER}"
    r" ?(.{1,40}?) (?:to|in|into|a|en) (.{1,40})",
    re.IGNORECASE,
)
_HOW_MANY = re.compile(
    rf"(?:how many|cuant[oa]s) (.{{1,40}}?) (?:is|are|are in|are there in|in|son|hay en|es|equals?) {_NUMBER}"
    r" ?(.{1,40})",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"-?\d{1,3}\.\d{3}")
"""One and something in English, thousands in Spanish."""
_MORE = re.compile(r"[.,;!?]\s+(?:and |y )?(?:then|now|also|after that|luego|despues|ahora|tambien)\b")
_NOT_A_WORD = frozenset("alphabet abecedario alfabeto".split())
"""`How many letters are in the alphabet` is no question about a word of eight letters."""


def spelled_call(prompt: str) -> SpelledCall | None:
    """The one call that a request is, or None. Pure; long requests spell out none."""
    if len(prompt) > MAX_CHARS or "```" in prompt:
        return None
    prompt = unicodedata.normalize("NFC", prompt)
    text = _plain(prompt)
    if _TODAY.fullmatch(text):
        return SpelledCall("date_time", {"date": "today"})
    if _NOW.fullmatch(text):
        return SpelledCall("date_time", {"date": "now"})
    if conversion := _conversion(_spaced(prompt)):
        return conversion
    on = material(prompt)
    if on is None or _MORE.search(_plain(on)):
        return None
    said = _plain(prompt.replace(on, " ", 1))
    builders = [build for cue, build in _BUILDERS if cue.search(said)]
    return builders[0](on, said) if len(builders) == 1 else None


def _conversion(text: str) -> SpelledCall | None:
    """Case is kept in `text`: `Mb` and `MB` are two units."""
    if found := _FROM_TO.fullmatch(text):
        number, source, target = found.groups()
    elif found := _HOW_MANY.fullmatch(text):
        target, number, source = found.groups()
    else:
        return None
    one, other = find_unit(source), find_unit(target)
    if one is None or other is None or one == other or one.dimension != other.dimension:
        return None
    if _THOUSANDS.fullmatch(number):
        return None
    return SpelledCall("convert", {"value": float(number), "from_unit": one.symbol, "to_unit": other.symbol})


def _reversal(on: str, said: str) -> SpelledCall | None:
    """Of one word only: a sentence may be reversed by letters or by words."""
    return _operation("reverse", on) if on.isalnum() else None


def _letters(on: str, said: str) -> SpelledCall | None:
    if not on.isalpha() or on.casefold() in _NOT_A_WORD:
        return None
    return SpelledCall("text_statistics", {"text": on, "count": "letters"})


def _words(on: str, said: str) -> SpelledCall | None:
    return SpelledCall("text_statistics", {"text": on, "count": "words"})


def _upper(on: str, said: str) -> SpelledCall | None:
    return _operation("uppercase", on)


def _lower(on: str, said: str) -> SpelledCall | None:
    return _operation("lowercase", on)


def _sorting(on: str, said: str) -> SpelledCall | None:
    """Not of figures with commas in them beside commas between them: `3,000, 20`."""
    if "," not in on or (re.search(r"\d,\d", on) and re.search(r"[,;]\s|;", on)):
        return None
    return _operation("sort_descending" if _DOWN.search(said) else "sort", on)


def _operation(name: str, on: str) -> SpelledCall:
    return SpelledCall("text_operation", {"operation": name, "text": on})


_BUILDERS: tuple[tuple[re.Pattern[str], Callable[[str, str], SpelledCall | None]], ...] = (
    (_LETTERS, _letters),
    (_COUNTED_WORDS, _words),
    (_REVERSE, _reversal),
    (_UPPER, _upper),
    (_LOWER, _lower),
    (_SORT, _sorting),
)


def material(prompt: str) -> str | None:
    """What a request works on: its one quotation, what follows its colon or question mark, else what its words leave.

    None where that is nothing, or where the request says more than words of requests around it.
    """
    quoted = list(_QUOTED.finditer(prompt))
    if quoted:
        around = f"{prompt[: quoted[0].start()]} {prompt[quoted[-1].end() :]}"
        return quoted[0][1].strip() or None if len(quoted) == 1 and _only_words(around) else None
    head, mark, tail = prompt.partition(":")
    if not mark:
        head, mark, tail = prompt.partition("? ")
    if mark and tail.strip():
        return tail.strip(_EDGES) or None if _only_words(head) else None
    words = _TWO_WORDS.sub(" ", prompt).split()
    while words and _plain(words[0]) in _WORDS:
        words.pop(0)
    while words and _plain(words[-1]) in _WORDS:
        words.pop()
    if any(_plain(word) in _WORDS for word in words):
        return None  # instruction and material are mixed: `a function that converts`
    return " ".join(words).strip(_EDGES) or None


def _only_words(text: str) -> bool:
    return all(_plain(word) in _WORDS for word in _TWO_WORDS.sub(" ", text).split())


def _plain(text: str) -> str:
    """In small letters, without accents and marks at its ends, spaces single."""
    return _spaced(text).casefold()


def _spaced(text: str) -> str:
    """Without accents and marks at its ends, spaces single."""
    split = unicodedata.normalize("NFKD", text.replace("º", "°").replace("’", "'"))
    return " ".join("".join(char for char in split if not unicodedata.combining(char)).split()).strip(_EDGES)
