"""KV of earlier requests, kept for those that begin alike: a conversation's next turn, a retry, one system prompt.

Imports torch. Entries are copies outside the arenas, in order of last use; the engine says how many bytes they get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm.engine.arena import Layer, Place

SHORTEST = 32
"""Tokens from which on an entry is worth its copy."""


@dataclass(frozen=True)
class Entry:
    """KV of `ids`, layer by layer: (heads, tokens, width)."""

    ids: tuple[int, ...]
    layers: list[Layer]
    bytes: int


class PrefixStore:
    """Entries, least recently used first."""

    def __init__(self, bytes_per_token: int) -> None:
        self._bytes_per_token = bytes_per_token
        self._entries: list[Entry] = []
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, ids: Sequence[int]) -> tuple[list[Layer], int]:
        """The longest beginning of `ids` that is known: its KV as views, and its length. It becomes the newest."""
        wanted = tuple(ids)
        best, common = None, 0
        for entry in self._entries:
            length = common_length(entry.ids, wanted)
            if length > common:
                best, common = entry, length
        if best is None or common < SHORTEST:
            return [], 0
        self._entries.remove(best)
        self._entries.append(best)
        return [(keys[:, :common], values[:, :common]) for keys, values in best.layers], common

    def keep(self, ids: Sequence[int], place: Place, most_bytes: int) -> None:
        """Copy a row's tokens, if they are worth it and fit beside no more than older entries that leave for it."""
        wanted, size = tuple(ids), len(ids) * self._bytes_per_token
        if len(wanted) < SHORTEST or size > most_bytes:
            return
        if any(common_length(entry.ids, wanted) == len(wanted) for entry in self._entries):
            return  # a longer one begins with it
        for entry in [entry for entry in self._entries if common_length(entry.ids, wanted) == len(entry.ids)]:
            self._drop(entry)  # what it begins with
        while self.bytes + size > most_bytes:
            self.drop_oldest()
        layers = [(keys.clone(), values.clone()) for keys, values in place.arena.row(place.index, len(wanted))]
        self._entries.append(Entry(wanted, layers, size))
        self.bytes += size

    def drop_oldest(self) -> bool:
        """Forget the least recently used entry; False when there is none."""
        if not self._entries:
            return False
        self._drop(self._entries[0])
        return True

    def _drop(self, entry: Entry) -> None:
        self._entries.remove(entry)
        self.bytes -= entry.bytes


def common_length(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many items both begin with. Halves the range, since comparing slices is much faster than items in a loop."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
