"""Text operations that small models are poor at: reversing, sorting, changing case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Literal, get_args

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import BeforeValidator

MAX_CHARS = 200_000

Operation = Literal[
    "reverse", "reverse_words", "sort", "sort_descending", "unique", "uppercase", "lowercase", "capitalize"
]

_OTHER_NAMES: Mapping[Operation, str] = MappingProxyType(
    {
        "reverse": "reversed backwards invert invertir inverso reves voltear",
        "sort": "sorted order alphabetical alphabetize ascending ordenar ordena ascendente alfabetico",
        "sort_descending": "descending sort_desc reverse_sort descendente",
        "unique": "deduplicate distinct unicos",
        "uppercase": "upper caps capitals capital_letters mayusculas mayuscula",
        "lowercase": "lower small_letters minusculas minuscula",
        "capitalize": "title titlecase title_case capitalise",
    }
)
_NUMBER = re.compile(r"[-+]?\d{1,40}(?:\.\d{1,40})?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:,\d{3})*(?:\.\d{1,40})?|" + _NUMBER.pattern)
_DECIMAL_COMMA = re.compile(r"[-+]?\d{1,40}(?:,\d{1,40})?")
_COMMA = re.compile(r",(?:\s+|(?!\d))|(?<!\d),")
"""One between items where figures have commas too: `3,000, 20`."""
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAGS = range(0x1F1E6, 0x1F200)
_JOINERS = frozenset("\u200d\ufe0f\ufe0e")


def reverse(text: str) -> str:
    """The text from its end to its start; accents stay on their letters, an emoji of several code points whole."""
    return "".join(reversed(_graphemes(unicodedata.normalize("NFC", text))))


def reverse_words(text: str) -> str:
    return " ".join(reversed(text.split()))


def sort(text: str, *, descending: bool = False) -> str:
    """Items of a list in order: numbers by value, words by the alphabet, in Spanish too (ñ after n, á with a)."""
    items, separator = split_items(text)
    for form, point in ((_NUMBER, ""), (_THOUSANDS, ""), (_DECIMAL_COMMA, ".")):
        if all(form.fullmatch(item) for item in items):
            return separator.join(
                sorted(items, key=lambda item: Fraction(item.replace(",", point)), reverse=descending)
            )
    return separator.join(sorted(items, key=_alphabetical, reverse=descending))


def unique(text: str) -> str:
    """The items of a list, each once, at its first place."""
    items, separator = split_items(text)
    return separator.join(dict.fromkeys(items))


def capitalize(text: str) -> str:
    """Every word with a capital; the rest of it stays as it is."""
    return re.sub(r"(?<![\w'’])\w", lambda found: found.group().upper(), text)


def split_items(text: str) -> tuple[list[str], str]:
    """The items of a list and what joins them again: lines, semicolons, commas, else white space."""
    stripped = text.strip().strip("[]")
    for mark, separator in (("\n", "\n"), (";", "; "), (",", ", ")):
        if mark in stripped:
            apart = mark == "," and ", " in stripped
            parts = _COMMA.split(stripped) if apart else stripped.split(mark)
            return [item.strip() for item in parts if item.strip()], separator
    return stripped.split(), " "


_ACTIONS: Mapping[Operation, Callable[[str], str]] = MappingProxyType(
    {
        "reverse": reverse,
        "reverse_words": reverse_words,
        "sort": sort,
        "sort_descending": lambda text: sort(text, descending=True),
        "unique": unique,
        "uppercase": str.upper,
        "lowercase": str.lower,
        "capitalize": capitalize,
    }
)


def operate(operation: Operation, text: str) -> str:
    """The operation's result. Raises ToolException for a text that is too long."""
    if len(text) > MAX_CHARS:
        raise ToolException(f"the text has {len(text)} characters, {MAX_CHARS} are allowed")
    return _ACTIONS[operation](text)


def operation_named(name: object) -> object:
    """`upper`, `Mayúsculas` and the like as the operation's own name; what is unknown stays, to be refused."""
    if not isinstance(name, str) or len(name) > 40:
        return name
    key = _plain(name).strip().replace(" ", "_").replace("-", "_")
    if key in get_args(Operation):
        return key
    return next((operation for operation, names in _OTHER_NAMES.items() if key in names.split()), name)


def text_operation() -> BaseTool:
    """The tool that models see: `text_operation(operation, text)`."""

    @tool("text_operation")
    def run(operation: Annotated[Operation, BeforeValidator(operation_named)], text: str) -> str:
        """Change a text exactly: reverse it, sort its items, or write it in upper or lower case."""
        return operate(operation, text)

    return run


def _graphemes(text: str) -> list[str]:
    """What a reader takes for one character each."""
    starts: list[int] = []
    flags = 0
    for place, char in enumerate(text):
        flags = flags % 2 + 1 if ord(char) in _FLAGS else 0
        joins = unicodedata.category(char) in ("Mn", "Me", "Mc") or char in _JOINERS or ord(char) in _SKIN_TONES
        if not starts or not (joins or flags == 2 or text[place - 1] == "\u200d"):
            starts.append(place)
    return [text[start:end] for start, end in pairwise([*starts, len(text)])]


def _plain(text: str) -> str:
    """Without case and accents."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in split if not unicodedata.combining(char))


def _alphabetical(word: str) -> tuple[str, str]:
    return _plain(unicodedata.normalize("NFC", word.casefold()).replace("ñ", "n\U0010ffff")), word
