"""Operations on the request's own text: reverse, upper and lower case, sort, count, first and last.

Only where the request holds nothing but the operation and its material, so that the right answer is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from nodes.checks.operation_words import (
    COUNT_LETTER,
    COUNT_LETTERS,
    COUNT_WORDS,
    DOWN,
    ENDS,
    LOWER,
    OTHER_ORDER,
    POLITE,
    REPEAT,
    REVERSE,
    SORT,
    UPPER,
)
from nodes.checks.reading import WORD, plain, words
from state.tasks import Analysis, Reason

MAX_PROMPT = 600
_MARKS = " \t\n\"'“”«»‘’`.,;:!?¡¿"
_REAL = re.compile(r"-?\d+(?:\.\d+)?")


def check_result(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The one operation that the request is, worked out and looked for in the answer."""
    if len(prompt) > MAX_PROMPT or "```" in prompt or analysis.kind == "code":
        return None
    request = POLITE.sub("", prompt.strip()).strip().lstrip("¿¡")
    for check in _OPERATIONS:
        wanted = check(request)
        if wanted is not None:
            expected, is_right = wanted
            if is_right(answer[:4_000]):
                return None
            return Reason(name="wrong_result", evidence=f"expected '{expected[:80]}'", weight=0.8)
    return None


Wanted = tuple[str, Callable[[str], bool]]


def _match(patterns: Sequence[re.Pattern[str]], request: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(request))), None)


def _material(found: re.Match[str]) -> str:
    return found.group("m").strip(_MARKS)


def _reversed(request: str) -> Wanted | None:
    found = _match(REVERSE, request)
    if found is None:
        return None
    material = _material(found)
    if not material or len(material.split()) != 1 or not material.isalnum():
        return None  # a sentence may be reversed by letters or by words
    expected = material[::-1]
    whole = re.compile(rf"(?<!\w){re.escape(expected.casefold())}(?!\w)")
    return expected, lambda answer: whole.search(_joined(answer)) is not None


def _joined(answer: str) -> str:
    """The answer's words, letters spelled apart (`a-s-a-c`) put together as well."""
    said = answer.casefold()
    return said + " " + re.sub(r"(?<=\b\w)[\s\-·.,]+(?=\w\b)", "", said)


def _cased(request: str) -> Wanted | None:
    for patterns, change in ((UPPER, str.upper), (LOWER, str.lower)):
        if found := _match(patterns, request):
            material = _material(found)
            described = re.search(r"\b(?:the|los|las|el|la)\s+\Z", request[: found.start("m")], re.IGNORECASE)
            if described or not material or len(material) > 300 or not any(char.isalpha() for char in material):
                return None
            expected = " ".join(change(material).split())
            return expected, partial(_same_case, expected)
    return None


def _same_case(expected: str, answer: str) -> bool:
    """Every word in its case; punctuation may differ."""
    return " ".join(WORD.findall(expected)) in " ".join(WORD.findall(answer))


def _counted(request: str) -> Wanted | None:
    count: int | None = None
    if found := _match(COUNT_LETTER, request):
        count = plain(found.group("m")).count(plain(found.group("c"))) if found.group("c") != "ñ" else None
    elif found := _match(COUNT_LETTERS, request):
        material = _material(found)
        count = len(material) if material.isalpha() and len(material) > 1 else None
    elif found := _match(COUNT_WORDS, request):
        material = found.group("m").strip(_MARKS)
        # Hyphens, numbers and signs are counted differently by different people.
        count = len(material.split()) if re.fullmatch(r"[^\W\d_]+(?:[ ,.;:!?¡¿\"']+[^\W\d_]+)*", material) else None
    if count is None:
        return None
    return str(count), lambda answer: _says_number(count, answer)


_NUMERALS = [
    pair.split()
    for pair in (
        "zero cero ninguna ninguno none no|one uno una once|two dos twice|three tres|four cuatro|five cinco|six seis"
        "|seven siete|eight ocho"
        "|nine nueve|ten diez|eleven once|twelve doce|thirteen trece|fourteen catorce|fifteen quince"
        "|sixteen dieciséis|seventeen diecisiete"
        "|eighteen dieciocho|nineteen diecinueve|twenty veinte"
    ).split("|")
]


def _says_number(count: int, answer: str) -> bool:
    said = words(answer)
    return str(count) in said or (count < len(_NUMERALS) and any(numeral in said for numeral in _NUMERALS[count]))


def _ended(request: str) -> Wanted | None:
    found = _match(ENDS, request)
    if found is None:
        return None
    place = 0 if found.group("e").lower() in ("first", "primera") else -1
    parts = words(found.group("m"))
    if found.group("u").lower() in ("letter", "letra"):
        if len(parts) != 1 or not parts[0].isalpha():
            return None
        letter = parts[0][place]
        return (
            letter,
            lambda answer: (
                letter in words(answer) or (len(answer) < 3 and plain(letter) == plain(answer.strip(_MARKS)))
            ),
        )
    if len(parts) < 2:
        return None
    word = parts[place]
    return word, lambda answer: word in words(answer)


def _sorted(request: str) -> Wanted | None:
    found = _match(SORT, request)
    if found is None:
        return None
    after = found.groupdict().get("after") or ""
    how = found.group("how") + after
    items = _items(found.group("m"))
    if len(items) < 2 or OTHER_ORDER.search(how):
        return None
    down = DOWN.search(how) is not None
    if all(_REAL.fullmatch(item) for item in items):
        expected = sorted(items, key=float, reverse=down)
    elif any(any(char.isdigit() for char in item) for item in items) or len({plain(item) for item in items}) < len(
        items
    ):
        return None
    else:
        expected = sorted(items, key=plain, reverse=down)
    others = [sorted(items, key=key, reverse=down) for key in (str, _spanish)]  # accents after z; ñ after n
    return ", ".join(expected), lambda answer: any(_in_order(order, answer) for order in (expected, *others))


def _spanish(word: str) -> str:
    return plain(word.lower().replace("ñ", "n~"))


def _items(material: str) -> list[str]:
    text = material.strip().strip("\"'“”«»[]().")
    parts = (
        re.split(r"\s*[,;\n]\s*(?:and |y |e )?|\s+(?:and|y)\s+", text) if re.search(r"[,;\n]", text) else text.split()
    )
    items = [part.strip(_MARKS + "-*•") for part in parts]
    return items if all(items) and len(items) <= 60 and all(len(item.split()) <= 3 for item in items) else []


def _in_order(expected: list[str], answer: str) -> bool:
    """The items stand in the answer one after another, the last of them once it is done with them."""
    said, place = " " + re.sub(r"[^\w.\-]+", " ", plain(answer)).replace(". ", " ") + " ", 0
    said = said.replace(".  ", " ")
    for item in expected:
        wanted = re.sub(r"[^\w.\-]+", " ", plain(item))
        found = re.compile(rf"(?<![\w.]){re.escape(wanted)}(?![\w])").search(said, place)
        if found is None:
            return False
        place = found.end()
    return True


def _repeated(request: str) -> Wanted | None:
    found = REPEAT.search(request)
    if found is None:
        return None
    material = found.group("m") or found.group("q")
    expected = " ".join(words(material))
    return (material.strip(), lambda answer: expected in " ".join(words(answer))) if expected else None


_OPERATIONS = (_reversed, _cased, _counted, _ended, _sorted, _repeated)
