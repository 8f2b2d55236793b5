"""Texts as vectors: a hashing embedder that needs nothing, and a door that opens it or a local model's folder."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from langchain_core.embeddings import Embeddings

HASHING = "hashing"
HASHING_DIMS = 384
WORD_WEIGHT = 2.0
"""Of a whole word, where a piece of it counts 1 over the root of their number: words decide, pieces help out."""
WORD_PLACES = 4
"""Over which a word is spread: two words that meet by chance share one of them and not all their weight."""
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")
"""Scripts whose words are not set apart, or hold several: pairs of characters are taken for words there."""


@runtime_checkable
class SizedEmbeddings(Protocol):
    """LangChain's `Embeddings` whose vectors' length is known before the first of them."""

    @property
    def dims(self) -> int:
        """Numbers in a vector. Raises BadRequest for a folder that is unsafe or not whole."""
        ...

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...

    def embed_query(self, text: str) -> list[float]: ...

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]: ...

    async def aembed_query(self, text: str) -> list[float]: ...

    def close(self) -> None:
        """Free what it holds; may be called twice."""
        ...


class HashingEmbeddings(Embeddings):
    """Words and their pieces, hashed into a vector of length 1 (feature hashing, arXiv:0902.2206).

    The same everywhere and for ever, in any language. Texts that share words, or forms of a word, are near; it knows
    nothing of meaning. A text without words has one fixed vector.
    """

    def __init__(self, dims: int = HASHING_DIMS) -> None:
        self._dims = dims

    @property
    def dims(self) -> int:
        """Numbers in a vector."""
        return self._dims

    def embed_query(self, text: str) -> list[float]:
        """The vector of a text. A word takes some 4 µs, one that was not seen lately some 100."""
        vector = [0.0] * self._dims
        # A word said ten times does not make a text ten times as much about it.
        for word, count in sorted(Counter(words_of(text)).items()):
            damped = 1.0 + math.log(count)
            for place, weight in _features(word, self._dims):
                vector[place] += damped * weight
        norm = math.sqrt(math.fsum(value * value for value in vector))
        if norm == 0.0:
            return [1.0] + [0.0] * (self._dims - 1)
        return [value / norm for value in vector]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The vectors of texts."""
        return [self.embed_query(text) for text in texts]

    def close(self) -> None:
        """Nothing is held."""


def words_of(text: str) -> list[str]:
    """Runs of letters and digits, in one form for all ways of writing them; in unspaced scripts pairs of characters."""
    runs = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return [word for run in runs for word in (_pairs(run) if UNSPACED.search(run) else [run])]


def _pairs(run: str) -> list[str]:
    return [run[start : start + 2] for start in range(max(1, len(run) - 1))]


@lru_cache(maxsize=16_384)
def _features(word: str, dims: int) -> tuple[tuple[int, float], ...]:
    """Where a word and its pieces go in the vector, each with its signed weight."""
    whole, pieces = _places(f"w {word}", dims, WORD_PLACES), list(_pieces(word))
    share, piece_share = WORD_WEIGHT / math.sqrt(WORD_PLACES), 1.0 / math.sqrt(len(pieces))
    return (
        *((place, sign * share) for place, sign in whole),
        *((place, sign * piece_share) for piece in pieces for place, sign in _places(f"p {piece}", dims, 1)),
    )


def _pieces(word: str) -> Iterator[str]:
    marked = f"<{word}>"
    for size in range(3, 6):
        for start in range(len(marked) - size + 1):
            yield marked[start : start + size]


def _places(name: str, dims: int, count: int) -> list[tuple[int, float]]:
    # Python's own hash differs from process to process.
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8 * count).digest()
    numbers = [int.from_bytes(digest[start : start + 8], "little") for start in range(0, len(digest), 8)]
    # The sign lets two features that fall on one place cancel out on average instead of adding up.
    return [((number >> 1) % dims, 1.0 if number & 1 else -1.0) for number in numbers]


def open_embeddings(setting: str = HASHING) -> SizedEmbeddings:
    """The embedder of a setting: `hashing`, or the path of a sentence-transformers model's folder.

    A folder is looked at when it is first used, and its model loaded then. Raises BadRequest without the package.
    """
    if setting == HASHING:
        return HashingEmbeddings()
    # Imports no torch either, but the default needs nothing of it.
    from llm.sentences import FolderEmbeddings  # noqa: PLC0415

    return FolderEmbeddings(Path(setting).expanduser())
