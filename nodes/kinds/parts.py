"""Where the instruction of a request stands, and where its material: a request is its instruction, not its topic."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from nodes.kinds.cues import concepts, is_action

MAX_CHARS = 3_000
"""Of a longer request two thirds from its start and one from its end are read: instructions stand there."""
MAX_SENTENCES = 24
INSTRUCTION_WORDS = 48
FEW_WORDS = 24

_PLAIN = str.maketrans("áàâäãéèêëíìîïóòôöõúùûüñçÁÀÂÄÃÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÑÇ’‘", "aaaaaeeeeiiiiooooouuuunc" * 2 + "''")
_FENCE = re.compile(r"```.{0,3000}?(?:```|\Z)", re.DOTALL)
_QUOTED = re.compile(
    r"\"[^\"]{1,1500}\"|“[^”]{1,1500}”|«[^»]{1,1500}»|`[^`\n]{1,200}`|(?<!\w)'[^'\n]{1,300}'(?!\w)|\"\"\".{1,1500}\"\"\"",
    re.DOTALL,
)
_SENTENCE = re.compile(r"(?<=[.!?…;])\s+(?=[^\W\d_]{2}|[ayoeiu\d¿¡])|(?<=:)\s+(?=\S)")
_MARKS = re.compile(r"\bq(?:short|long|fence)\b")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]{1,3})?|\d+(?:[.,:/]\d+)*|[?¿!¡]|[=+*/×÷^%$€<>{}\[\]()|#&\\@~-]+")
_POLITE = frozenset(
    "please can could would you your podrias puedes puede podes podria me i want need to quiero quisiera necesito que "
    "por favor help ayudame ayuda a like kindly hi hello hola hey oye now then and y ahora also tambien just let us "
    "let's lets task tarea buenas buenos dias tardes bueno pues so well ok mind if we".split()
)
"""What may stand before the verb that asks."""


@dataclass(frozen=True)
class Parts:
    """A request taken apart; words are lower-case and without accents."""

    instruction: tuple[str, ...]
    """Of the sentences that most look like what is asked, at most `INSTRUCTION_WORDS`."""
    first: tuple[str, ...]
    last: tuple[str, ...]
    rest: tuple[str, ...]
    """Words of everything else that was read: the material."""
    place: str
    """Where the instruction stands: `whole`, `head`, `tail` or `middle`."""
    quotes: tuple[int, ...]
    """Words in each quoted span, at most eight of them."""
    fenced: bool
    asked: str
    """The sentences that ask, in small letters with their accents, without quotes: their language is the request's."""
    text: str
    """What was read, with quotes and fences replaced by marks."""


def bounded(prompt: str) -> str:
    """The start and the end of a long text; all of a short one. Composed letters, no lone surrogates."""
    if len(prompt) > MAX_CHARS:
        prompt = prompt[: MAX_CHARS * 2 // 3] + "\n" + prompt[-(MAX_CHARS // 3) :]
    return unicodedata.normalize("NFC", prompt.encode("utf-8", "replace").decode())


def take_apart(prompt: str) -> Parts:
    """Find the instruction of a request. `prompt` is bounded here; never raises."""
    text, fences = _FENCE.subn(" qfence ", bounded(prompt))
    quotes: list[int] = []

    def mark(found: re.Match[str]) -> str:
        words = found[0].count(" ") + 1
        quotes.append(words)
        return " qshort " if words <= 3 else " qlong "

    text = _QUOTED.sub(mark, text).lower()
    sentences = _sentences(text)
    words = [WORD.findall(sentence.translate(_PLAIN)) for sentence, _ in sentences]
    asking = _choose([flag for _, flag in sentences], words)
    # A request of few words is all instruction: its material is too short to drown what is asked.
    chosen = list(range(len(words))) if sum(map(len, words)) <= FEW_WORDS else asking
    instruction = [word for at in chosen for word in words[at]][:INSTRUCTION_WORDS]
    rest = [word for at, some in enumerate(words) if at not in chosen for word in some]
    everything = [word for some in words for word in some]
    return Parts(
        instruction=tuple(instruction),
        first=tuple(everything[:8]),
        last=tuple(everything[-8:]),
        rest=tuple(rest[:160]),
        place=_place(chosen, len(words)),
        quotes=tuple(quotes[:8]),
        fenced=fences > 0,
        asked=" ".join(_MARKS.sub(" ", sentences[at][0]) for at in asking),
        text=text.translate(_PLAIN),
    )


def _sentences(text: str) -> list[tuple[str, bool]]:
    """Sentences with whether each is material: what follows a colon that introduces it."""
    found: list[tuple[str, bool]] = []
    introduced = False
    for line in text.split("\n"):
        line = line.strip()
        if not line:
            continue
        for sentence in _SENTENCE.split(line):
            if sentence.strip():
                found.append((sentence, introduced))
                introduced = introduced or sentence.rstrip().endswith(":")
    if len(found) > MAX_SENTENCES:
        found = found[: MAX_SENTENCES * 2 // 3] + found[-(MAX_SENTENCES // 3) :]
    return found


def _choose(material: list[bool], words: list[list[str]]) -> list[int]:
    """Which sentences ask for something, in their order; one at least, if there is any."""
    if not words:
        return []
    last = len(words) - 1
    scores = [
        _looks_asked(some, at == last)
        + (1.5 if at == 0 else 1.0 if at == last else 0.0)
        - (1.5 if material[at] else 0.0)
        for at, some in enumerate(words)
    ]
    order = sorted(range(len(words)), key=lambda at: (-scores[at], at))
    best = scores[order[0]]
    return sorted(at for at in order[:3] if scores[at] >= max(2.5, best - 1.5)) or [order[0]]


def _looks_asked(words: list[str], last: bool) -> float:
    """How much a sentence looks like a demand: an action at its start, a question mark, few words."""
    start = next((word for word in words[:8] if word not in _POLITE), "")
    score = 3.0 if is_action(start) else 0.0
    if words and words[-1] == "?":
        score += 3.0 if last else 2.0
    if any(concepts(word) for word in words[:12]):
        score += 0.5
    return score + (0.5 if 1 < len(words) <= 30 else 0.0)


def _place(chosen: list[int], count: int) -> str:
    if len(chosen) == count:
        return "whole"
    if 0 in chosen:
        return "head"
    return "tail" if count - 1 in chosen else "middle"
