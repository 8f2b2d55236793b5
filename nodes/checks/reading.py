"""How checks read a request and an answer: words, prose without code, what is instruction and what is material."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from state.tasks import Analysis, Reason

Check = Callable[[str, str, Analysis], Reason | None]
"""`(prompt, answer, analysis)`: what is wrong with the answer, or None."""

MAX_CHARS = 100_000
"""Longer texts are judged by their start; nothing here is slower than linear in it."""

WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
FENCE = re.compile(r"```([\w+#.-]*)[^\n`]{0,80}\n(.*?)(?:```|\Z)", re.DOTALL)
QUOTED = re.compile(
    r"\"([^\"\n]{1,2000})\"|“([^”\n]{1,2000})”|«([^»\n]{1,2000})»|‘([^’\n]{1,2000})’|(?<!\w)'([^'\n]{1,2000})'(?!\w)"
)
_TICKS = re.compile(r"`[^`\n]{1,200}`")
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”»)]*\s+|\n+")
_INLINE = re.compile(r"(?:^|[\s(])\(?(\d{1,2})[.)]\s+(?=\S)")
_COLON = re.compile(r":\s")

# Words that carry the grammar of a sentence; a text that shares only these with another is not about the same.
_EMPTY_WORDS = frozenset(
    "a about all also an and any are as at be been but by can could do does each for from give had has have he her his "
    "how i if in into is it its just like make many me more most my no not of on one only or our out over please she "
    "should so some such tell than that the their them then there these they this those to up us use was we were what "
    "when where which who why will with would write you your following text sentence answer question "
    "al algo así aunque cada como con cuando cuál cuáles cómo cuánto da dame de del desde di dime donde dos dónde e el "
    "ella ellos en entre era es esa ese eso esta este esto estos está están fue ha hace han hasta hay haz la las le "
    "les lo los me mi muy más mí ni no nos o os otra otro para pero por porque pues que quien quién qué se sea ser si "
    "sin sobre son su sus sí también te tener tiene toda todas todo todos tu tus un una unas uno unos usted y ya yo "
    "escribe siguiente texto frase responde pregunta".split()
)


class Request(NamedTuple):
    """A prompt taken apart: what is wanted, and the text that it is wanted of (empty where there is none)."""

    instruction: str
    material: str


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case, without punctuation."""
    return WORD.findall(text.lower())


def stems(text: str) -> set[str]:
    """What a text is about: its words without the grammatical ones, cut to five letters and stripped of accents."""
    return {plain(word)[:5] for word in words(text) if len(word) > 2 and word not in _EMPTY_WORDS}


def plain(text: str) -> str:
    """A text in lower case without accents; `ñ` becomes `n`."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def prose(answer: str) -> str:
    """The answer without fenced code and code in ticks."""
    return _TICKS.sub(" ", FENCE.sub("\n", answer)) if "`" in answer else answer


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, none of them empty."""
    return [part.strip() for part in _SENTENCE.split(text) if part and part.strip()]


def quotes(text: str) -> list[str]:
    """What stands in quotation marks."""
    return ["".join(groups).strip() for groups in QUOTED.findall(text)]


def inline_items(text: str) -> int:
    """How many items a list within running text has: `1) one 2) two`; 0 where there is none."""
    numbers = [int(number) for number in _INLINE.findall(text[:8_000])]
    return len(numbers) if len(numbers) > 1 and numbers == list(range(1, len(numbers) + 1)) else 0


@lru_cache(maxsize=4)
def read_request(prompt: str) -> Request:
    """Instruction and material of a prompt: parted at a blank line, a line's end, a colon, or by quotation marks.

    Of two parts the longer is the material. A prompt without such a mark is all instruction.
    """
    text = prompt.strip()
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    if len(blocks) == 1:
        blocks = [line.strip() for line in text.split("\n") if line.strip()]
    if len(blocks) > 1:
        if _is_instruction(blocks[0], blocks[1:]):
            return Request(blocks[0], "\n".join(blocks[1:]))
        return Request(blocks[-1], "\n".join(blocks[:-1]))
    colon = _COLON.search(text)
    if colon and 0 < len(text[: colon.start()].split()) <= 40 and text[colon.end() :].strip():
        head, tail = text[: colon.start()], text[colon.end() :].strip()
        asks_last = tail.endswith("?") and len(tail.split()) * 3 < len(head.split())
        return Request(tail, head) if asks_last else Request(head, tail)
    longest = max(quotes(text), key=len, default="")
    if len(longest.split()) >= 2:
        return Request(text.replace(longest, " "), longest)
    return Request(text, "")


def _is_instruction(first: str, rest: list[str]) -> bool:
    if first.endswith(":"):
        return True
    if rest[-1].endswith(("?", ":")) and not first.endswith("?"):
        return False
    return len(first) <= sum(map(len, rest)) or not len(rest[-1]) < len(first)
