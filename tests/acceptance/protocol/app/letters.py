"""Embeddings that a test can compute: how often each of eight letters stands in a text."""

from __future__ import annotations


def letters(texts: list[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in "abcdefgh"] for text in texts]
