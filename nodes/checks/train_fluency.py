"""The recipe of `fluency.safetensors`: counts over texts, of which the tables keep single words alone.

    python -m nodes.checks.train_fluency FILE.jsonl …

Each line's string fields named in FIELDS are taken. Deterministic: the same files give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from nodes.checks.fluency import COMMA, EDGE, FILE, LETTERS, NUMBER, OTHER, STOP, tokens_of
from nodes.checks.reading import plain, prose

FIELDS = ("prompt", "answer", "output")
VOCABULARY = 240
"""Most frequent tokens that are told apart: function words of both languages; all others are one class."""
SMOOTHING = 2.0
"""Counts added to each transition, spread by how frequent the second token is."""


def read_texts(files: Sequence[Path]) -> Iterator[str]:
    """The texts of JSON lines, or of one JSON array."""
    for file in files:
        content = file.read_text(encoding="utf-8")
        rows = json.loads(content) if content.lstrip().startswith("[") else map(json.loads, content.splitlines())
        for row in rows:
            yield from (prose(row[field]) for field in FIELDS if isinstance(row.get(field), str))


def letter_table(texts: Sequence[str]) -> np.ndarray:
    """(27, 27) log-probabilities over the different words, so that frequent words do not drown the others."""
    counts = np.full((len(LETTERS) + 1, len(LETTERS) + 1), 0.5)
    for word in sorted({token for text in texts for token in tokens_of(text) if token[0].isalpha()}):
        path = [EDGE, *(LETTERS.index(char) for char in plain(word) if char in LETTERS), EDGE]
        if len(path) > 2:
            np.add.at(counts, (path[:-1], path[1:]), 1.0)
    table: np.ndarray = np.log(counts / counts.sum(axis=1, keepdims=True))
    return table.astype(np.float16)


def order_table(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The vocabulary, and (V, V) log of how much likelier a token is after another than anywhere."""
    sequences = [tokens_of(text) for text in texts]
    seen = Counter(token for sequence in sequences for token in sequence if token[0].isalpha())
    frequent = [token for token, _ in sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:VOCABULARY]]
    vocabulary = [OTHER, NUMBER, STOP, COMMA, *frequent]
    index = {token: number for number, token in enumerate(vocabulary)}
    counts = np.zeros((len(vocabulary), len(vocabulary)))
    for sequence in sequences:
        path = [index.get(token, 0) for token in sequence]
        for before, after in pairwise(path):
            counts[before, after] += 1
    anywhere = (counts.sum(axis=0) + 1) / (counts.sum() + len(vocabulary))
    likely = (counts + SMOOTHING * anywhere) / (counts.sum(axis=1, keepdims=True) + SMOOTHING)
    return vocabulary, np.log(likely / anywhere).astype(np.float16)


def word_list(texts: Sequence[str]) -> np.ndarray:
    """(bytes,) the different words in lower case without accents, sorted, joined by blanks."""
    seen = {plain(token) for text in texts for token in tokens_of(text) if token[0].isalpha()}
    return np.frombuffer(
        " ".join(sorted(word for word in seen if word.isascii() and word.isalpha())).encode(), np.uint8
    )


def train(files: Sequence[Path], target: Path = FILE) -> None:
    """Count and write."""
    texts = list(read_texts(files))
    vocabulary, tokens = order_table(texts)
    tensors = {"letters": letter_table(texts), "tokens": tokens, "words": word_list(texts)}
    save_file(tensors, target, {"vocabulary": " ".join(vocabulary)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    train(parser.parse_args().files)
