"""Text statistics: letters, words, sentences and lines counted, and how often a letter or word stands in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType

from langchain_core.tools import BaseTool, ToolException, tool

MAX_CHARS = 200_000
WORDS_A_MINUTE = 200
"""Silent reading of an adult, rounded."""

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\"'”»)\s]|\Z)|\n+")
_THE_LETTER = re.compile(r"(?:(?:the|la) )?(?:letter|letra) ['\"]?(\w)['\"]?", re.IGNORECASE)
_VOWELS = frozenset("aeiouáéíóúüàèìòùâêîôûäëïö")


def letters_of(text: str) -> list[str]:
    return [char for char in _whole(text) if char.isalpha()]


def words_of(text: str) -> list[str]:
    """`don't` and `well-known` are one word each; a number is a word."""
    return _WORD.findall(_whole(text))


def sentences_of(text: str) -> list[str]:
    """Parts that end in a full stop, a question or exclamation mark, or a line, and hold a word."""
    return [part for part in _SENTENCE_END.split(_whole(text)) if _WORD.search(part)]


def _vowels(text: str) -> list[str]:
    return [char for char in letters_of(text) if char.casefold() in _VOWELS]


def _consonants(text: str) -> list[str]:
    return [char for char in letters_of(text) if char.casefold() not in _VOWELS]


def _digits(text: str) -> list[str]:
    return [char for char in text if char.isdigit()]


def _spaces(text: str) -> list[str]:
    return [char for char in text if char.isspace()]


_KINDS: Mapping[str, tuple[str, Callable[[str], list[str]]]] = MappingProxyType(
    {
        name: (names.split()[0], count)
        for names, count in (
            ("letters letter letras letra", letters_of),
            ("words word palabras palabra", words_of),
            ("characters character chars caracteres caracter carácter", lambda text: list(_whole(text))),
            ("sentences sentence oraciones oración oracion frases frase", sentences_of),
            ("lines line líneas línea lineas linea", str.splitlines),
            ("vowels vowel vocales vocal", _vowels),
            ("consonants consonant consonantes consonante", _consonants),
            ("digits digit dígitos dígito digitos cifras", _digits),
            ("spaces space espacios espacio", _spaces),
        )
        for name in names.split()
    }
)


def count_in(text: str, what: str) -> str:
    """`what` is a kind such as `letters` or `palabras`, else what to look for: a letter, a word or a phrase.

    In quotes it is always looked for: `"words"`. Case does not matter, accents do.
    """
    wanted = what.strip()
    if wanted.casefold() in _KINDS:
        name, count = _KINDS[wanted.casefold()]
        number = len(count(text))
        return f"{number} {name if number != 1 else name.removesuffix('s')}"
    if len(wanted) > 2 and wanted[0] == wanted[-1] and wanted[0] in "\"'":
        wanted = wanted[1:-1]
    elif letter := _THE_LETTER.fullmatch(wanted):
        wanted = letter[1]
    needle = _whole(wanted).casefold()
    whole = _whole(text).casefold()
    if len(needle) == 1:
        return f"'{wanted}' {_times(whole.count(needle))}"
    as_word = len(re.findall(rf"(?<!\w){re.escape(needle)}(?!\w)", whole))
    inside = whole.count(needle) - as_word
    return f"'{wanted}' {_times(as_word)}" + (f", and {_times(inside)} inside other words" if inside > 0 else "")


def describe(text: str) -> str:
    """Everything about a text in one line."""
    words = words_of(text)
    seconds = round(len(words) * 60 / WORDS_A_MINUTE)
    reading = f"{seconds} s" if seconds < 60 else f"{round(seconds / 60)} min"
    parts = [count_in(text, kind) for kind in ("words", "letters", "characters", "sentences", "lines")]
    longest = f"; longest word: {max(words, key=len)[:100]}" if words else ""
    return f"{', '.join(parts)}{longest}; reading time: {reading}"


def text_statistics() -> BaseTool:
    """The tool that models see: `text_statistics(text, count)`."""

    @tool("text_statistics")
    def run(text: str, count: str = "") -> str:
        """Count in a text: `count` is `letters`, `words`, `sentences`…, or one letter or word; empty counts all."""
        if len(text) > MAX_CHARS:
            raise ToolException(f"the text has {len(text)} characters, {MAX_CHARS} are allowed")
        return count_in(text, count[:200]) if count.strip() else describe(text)

    return run


def _whole(text: str) -> str:
    """Composed characters: an é of two code points is one letter."""
    return unicodedata.normalize("NFC", text)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
