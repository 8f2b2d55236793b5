"""Names that users choose, as values of labels: so many by name, all others as one, so that a scrape stays small."""

from __future__ import annotations

from collections import Counter

from server.messages.figures import OTHERS

MOST_CHARS = 100
"""Of a name; what is longer is cut."""


class Names:
    """Labels of one kind of name. The first that come are told by name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._labels: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        name = name[:MOST_CHARS]
        label = self._labels.get(name)
        if label is None:
            if len(self._labels) >= self._most:
                return OTHERS
            label = self._labels[name] = printable(name)
        return label


class Pairs:
    """Labels of names within others, such as nodes of graphs. One that has many does not take the room of all."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._labels: dict[tuple[str, str], str] = {}
        self._of: Counter[str] = Counter()

    def __call__(self, outer: str, name: str) -> str:
        """`outer` is a label already."""
        key = outer, name[:MOST_CHARS]
        label = self._labels.get(key)
        if label is None:
            if len(self._labels) >= self._most or self._of[outer] >= self._most_of_one:
                return OTHERS
            label = self._labels[key] = printable(key[1])
            self._of[outer] += 1
        return label


def printable(name: str) -> str:
    """`name` as UTF-8 can hold it: one lone surrogate would make every scrape fail."""
    return name.encode("utf-8", "replace").decode()
