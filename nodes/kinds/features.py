"""Request → sparse features: words and pieces of the instruction, concepts that languages share, form of the whole."""

from __future__ import annotations

import re
from itertools import pairwise
from math import sqrt
from zlib import crc32

from nodes.kinds.cues import concepts
from nodes.kinds.parts import Parts, take_apart

BUCKETS = 1 << 16

_STOP = frozenset(
    "a an the of to in on for el la los las un una de del en al y and o or that este esta esto this it".split()
)
_OPTIONS = re.compile(r"^[ \t]{0,20}(?:[-*•]|\(?[a-e1-9][.)])[ \t]{1,20}\S", re.MULTILINE)
_INLINE_OPTIONS = re.compile(r"\([a-e]\) {0,5}\S")
_SPEAKER = re.compile(r"^[ \t]{0,20}(?:[+-]|[^\W\d_]{2,15}:)[ \t]{1,20}\S", re.MULTILINE)
_SUM = re.compile(r"\d {0,5}[-+*/x×÷^%] {0,5}\(?\d|\d {0,5}%|\b[xy] {0,5}[-+=^*]|[=+] {0,5}\d")
_CODE = re.compile(
    r"[{};][ \t]{0,20}$|=>|->|==|\w\(\w*\)|</?\w+>|\w\.\w+\(|::|&&|\|\|"
    r"|^[ \t]{0,20}(?:(?:def|class|import|from \w+ import|function|public|const|let|var|#include|select)\b|@\w)",
    re.MULTILINE,
)
_LETTERS = re.compile(r"[^\W\d_]")
_LABEL = re.compile(r"^[ \t]{0,20}([^\W\d_]{2,14}) ?:", re.MULTILINE)

_VOWELS = set("aeiouy")

Weighted = dict[str, float]
"""Feature → weight."""


def features(prompt: str) -> Weighted:
    """Named features with their weights; groups are scaled to a length each, so that long requests shout no louder."""
    parts = take_apart(prompt)
    found: Weighted = {"bias": 1.0}
    _add(found, _worded(parts.instruction), 2.4)
    _add(found, _pieces(parts.instruction), 1.5)
    _add(found, _ends(parts), 1.1)
    _add(found, _concepts(parts.instruction), 2.2)
    _add(found, {f"m:{word}": 1.0 for word in parts.rest}, 0.25)
    _add(found, {f"mc:{name}": 1.0 for word in parts.rest for name in concepts(word)}, 0.35)
    _add(found, dict.fromkeys(_form(parts), 1.0), 1.5)
    return found


def hashed(named: Weighted) -> tuple[list[int], list[float]]:
    """Names → buckets, the same on every machine; two names may share one."""
    return [crc32(name.encode()) % BUCKETS for name in named], list(named.values())


def _add(found: Weighted, group: Weighted, length: float) -> None:
    norm = sqrt(sum(value * value for value in group.values()))
    for name, value in group.items():
        found[name] = value * length / norm


def _worded(words: tuple[str, ...]) -> Weighted:
    """Words, their beginnings (which stand for inflections) and neighbours; all numbers are one word."""
    group: Weighted = {}
    shaped = ["9" if word[0].isdigit() else word for word in words]
    for word in shaped:
        group[f"i:{word}"] = 0.5 if word in _STOP else 1.0
        if len(word) > 5:
            group[f"i^{word[:5]}"] = 0.7
    for one, two in pairwise(shaped):
        group[f"i:{one} {two}"] = 0.8
    return group


def _pieces(words: tuple[str, ...]) -> Weighted:
    """Four letters in a row: what is left of a misspelt or inflected word."""
    edged = (f"<{word}>" for word in words if len(word) > 3 and word.isalpha())
    return {f"q:{word[at : at + 4]}": 1.0 for word in edged for at in range(len(word) - 3)}


def _ends(parts: Parts) -> Weighted:
    """The first and last words of the whole and the first of the instruction, by place."""
    group: Weighted = {}
    for at, word in enumerate(parts.first[:3]):
        group[f"f{at}:{word}"] = 1.0
    group["f:" + " ".join(parts.first[:2])] = 1.0
    group["f:" + " ".join(parts.first[:3])] = 1.0
    for word in parts.last[-3:]:
        group[f"l:{word}"] = 0.6
    group["l:" + " ".join(parts.last[-2:])] = 0.8
    for at, word in enumerate(parts.instruction[:2]):
        group[f"s{at}:{word}"] = 1.0
    return group


def _concepts(words: tuple[str, ...]) -> Weighted:
    """What the words may show, the first of them apart, and which come one after another."""
    group: Weighted = {}
    before: tuple[str, ...] = ()
    for at, word in enumerate(words):
        shown = concepts(word)
        for name in shown:
            group[f"c:{name}"] = group[f"c:{name}"] + 0.2 if f"c:{name}" in group else 1.0
            if at < 6:
                group[f"c<:{name}"] = 0.7
            if not before:
                group[f"c1:{name}"] = 1.0
            for earlier in before:
                if earlier != name:
                    group[f"c:{earlier}>{name}"] = 0.6
        before = (before + shown)[-5:]
    return group


def _form(parts: Parts) -> list[str]:
    """What can be seen without reading: lengths, marks, numbers, code, options, labels."""
    words = len(parts.instruction) + len(parts.rest)
    length, asks = min(7, words.bit_length()), "?" in parts.instruction
    numbers = sum(word[0].isdigit() for word in parts.instruction)
    numbered = min(3, numbers + sum(word[0].isdigit() for word in parts.rest))
    amount = any("how_much?" in concepts(word) for word in parts.instruction)
    sizes = [
        f"numbered:{numbered} amount:{amount}",
        f"numbered:{numbered} asks:{asks} long:{words > 24}",
        f"asks:{asks} words:{length}",
        f"place:{parts.place}",
        f"place:{parts.place} asks:{asks}",
        f"words:{length}",
        f"asked:{min(6, len(parts.instruction).bit_length())}",
        f"numbers:{min(4, numbers)}",
        f"lines:{min(4, parts.text.count(chr(10)).bit_length())}",
        f"code:{min(4, len(_CODE.findall(parts.text)).bit_length())}",
    ]
    labels = [f"label:{label}" for label in _LABEL.findall(parts.text)[:6]]
    return sizes + [f"mark:{name}" for name in _marks(parts)] + labels


def _marks(parts: Parts) -> list[str]:
    text, opening = parts.text, parts.text[:200].strip()
    marks = {
        "ends?": text.rstrip().endswith("?"),
        "ends:": text.rstrip().endswith(":"),
        "?": "?" in text,
        "¿": "¿" in text,
        "sum": _SUM.search(text) is not None,
        "fence": parts.fenced,
        "qshort": any(count <= 3 for count in parts.quotes),
        "qlong": any(count > 3 for count in parts.quotes),
        "qmany": len(parts.quotes) >= 3,
        "options": len(_OPTIONS.findall(text)) >= 2,
        "inline options": len(_INLINE_OPTIONS.findall(text)) >= 2,
        "speakers": len(_SPEAKER.findall(text)) >= 2,
        "numbers in rest": sum(word[0].isdigit() for word in parts.rest) >= 2,
        "letters few": 2 * len(_LETTERS.findall(opening)) < len(opening),
        "money": "$" in text or "€" in text,
        "braces": "{" in text or "[" in text,
        "colon": ":" in text[:120],
        "one word": len(parts.instruction) + len(parts.rest) == 1,
        "vowelless": any(len(word) > 4 and not set(word) & _VOWELS for word in parts.first),
    }
    return [name for name, shown in marks.items() if shown]
