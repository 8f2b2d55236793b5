"""How much a text is like English or Spanish: how likely its letters and its function words follow one another.

Two tables of transitions, `fluency.safetensors`, made by `python -m nodes.checks.train_fluency`. They know no meaning
and hardly any words: random letters score low on the first, words in random order on the second.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import safe_open

from nodes.checks.reading import plain

FILE = Path(__file__).parent / "fluency.safetensors"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
EDGE = len(LETTERS)
"""Index of a word's beginning and end among the letters."""
OTHER, NUMBER, STOP, COMMA = "<other>", "<number>", "<stop>", "<comma>"
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d[\d.,]*|[.!?:;\n]+|,")


_ENDINGS = re.compile(
    r"[a-z]{3,20}(?:ings?|abl[ey]|ibl[ey]|ments?|ness|[ae]nc(?:e|es|y)|[st]ions?|wards?|less|ful|ous|ously"
    r"|ively|ical|ally"
    r"|[iy][sz]ed|izing|ship|hood|ciones|mente|mientos?|dad|dades|ando|iendo|ador(?:a|es)?|ismo|istas?"
    r"|[ae]ncias?|os[oa]s?"
    r"|aron|ieron|aban?|[ai]d[oa]s)"
)
"""A word that ends as only words of the two languages do, with enough before it."""


class Tables(NamedTuple):
    """What the file holds."""

    letters: np.ndarray
    """(27, 27) float32: log-probability of a letter after another."""
    tokens: np.ndarray
    """(V, V) float32: log-probability ratio of a token after another, against its probability anywhere."""
    places: dict[str, int]
    """Row and column of each token in `tokens`."""
    words: list[str]
    """Words that were seen, sorted, without accents."""


@cache
def tables() -> Tables:
    """The shipped tables; read once."""
    with safe_open(FILE, "numpy") as file:
        vocabulary = file.metadata()["vocabulary"].split(" ")
        letters, tokens = file.get_tensor("letters"), file.get_tensor("tokens")
        words = file.get_tensor("words").tobytes().decode("ascii").split(" ")
    places = {word: number for number, word in enumerate(vocabulary)}
    return Tables(letters.astype(np.float32), tokens.astype(np.float32), places, words)


def is_broken_word(word: str) -> bool:
    """Whether a word was never seen, but two or more others that begin with it were: `regressi`, `incl`."""
    known, start = tables().words, plain(word)
    place = bisect_left(known, start)
    found = known[place : place + 2]
    return len(found) == 2 and found[0] != start and all(other.startswith(start) for other in found)


def letter_score(word: str) -> float:
    """Mean log-probability of a word's letters; about -2.4 for usual words, below -3.5 for random ones."""
    path = [EDGE, *(LETTERS.index(char) for char in plain(word) if char in LETTERS), EDGE]
    table = tables().letters
    return float(table[path[:-1], path[1:]].mean())


def was_seen(word: str) -> bool:
    """Whether this very word was seen."""
    known, whole = tables().words, plain(word)
    place = bisect_left(known, whole)
    return place < len(known) and known[place] == whole


def is_known(word: str) -> bool:
    """Whether a word was seen, or its stem was: an ending of up to three letters, or a usual one, is let pass."""
    known, start = tables().words, plain(word)
    if _ENDINGS.fullmatch(start):
        return True
    for cut in range(4):
        stem = start[: len(start) - cut]
        place = bisect_left(known, stem)
        if len(stem) < 3 or place == len(known):
            return False
        if known[place] == stem or (len(stem) >= 5 and known[place].startswith(stem)):
            return True
    return False


def longest_run(text: str) -> int:
    """The most words in a row, all in small letters, without a function word or a mark between them."""
    index = tables().places
    longest = run = 0
    for token in text.split():
        word = token.rstrip(".,;:!?")
        run = run + 1 if word.isalpha() and word.islower() and word not in index else 0
        longest = max(longest, run)
        run = run if word == token else 0
    return longest


def order_scores(text: str) -> np.ndarray:
    """How much each token of a text follows from the one before; about 0.3 in the mean, below 0 in random order.

    Returns (tokens - 1,) float32.
    """
    index = tables().places
    path = [index.get(token, index[OTHER]) for token in tokens_of(text)]
    return tables().tokens[path[:-1], path[1:]]


def tokens_of(text: str) -> list[str]:
    """Words in lower case and classes of what is not a word."""
    return [_token_class(token) for token in _TOKEN.findall(text.lower())]


def _token_class(token: str) -> str:
    if token == ",":
        return COMMA
    if token[0].isdigit():
        return NUMBER
    return token if token[0].isalpha() else STOP
