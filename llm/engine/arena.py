"""Keys and values (KV) of running requests: rows of equal length, gathered by class. Imports torch.

A row lives in the arena of its length class and moves to the next one when it outgrows it. The rows of an arena lie
side by side without gaps, so that a step computes them as one slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from llm.engine.slots import length_class, rows_to_hold


@dataclass(frozen=True)
class LayerShape:
    """One layer's KV of one token: heads, width of a key and of a value, and where they are kept."""

    heads: int
    key_width: int
    value_width: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class KVShape:
    """All layers' KV."""

    layers: tuple[LayerShape, ...]

    @property
    def bytes_per_token(self) -> int:
        return sum(layer.heads * (layer.key_width + layer.value_width) * layer.dtype.itemsize for layer in self.layers)


Layer = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one layer: (rows, heads, tokens, width), or without the first dimension for a single row."""


@dataclass(eq=False)
class Place:
    """Where one request's KV is. `index` changes when a neighbour leaves, `arena` when the row outgrows it."""

    arena: Arena
    index: int


class Arena:
    """Rows of up to `length` tokens."""

    def __init__(self, shape: KVShape, length: int) -> None:
        self.length = length
        self.places: list[Place] = []
        self._shape = shape
        self.layers: list[Layer] = [_make(layer, 0, length) for layer in shape.layers]
        self.held_rows = 0

    @property
    def bytes(self) -> int:
        return self.held_rows * self.row_bytes

    @property
    def row_bytes(self) -> int:
        return self.length * self._shape.bytes_per_token

    def hold(self, rows: int) -> None:
        """Make room for exactly `rows`, not fewer than are used.

        May raise torch's out-of-memory errors; what is in use stays as it is then.
        """
        used = len(self.places)
        try:
            for number, (old, layer) in enumerate(zip(self.layers, self._shape.layers, strict=True)):
                if old[0].shape[0] != rows:
                    new = _make(layer, rows, self.length)
                    for kept, made in zip(old, new, strict=True):
                        made[:used] = kept[:used]
                    self.layers[number] = new
        finally:
            # An error half way leaves some layers with more or fewer rows; what all of them hold can be used.
            self.held_rows = min(layer[0].shape[0] for layer in self.layers)

    def add(self) -> Place:
        """A place behind the last one; there must be room."""
        place = Place(self, len(self.places))
        self.places.append(place)
        return place

    def remove(self, place: Place) -> None:
        """Free a place; the last row moves into it."""
        last = self.places.pop()
        if last is not place:
            for kv in self.layers:
                for tensor in kv:
                    tensor[place.index] = tensor[last.index]
            last.index = place.index
            self.places[last.index] = last

    def row(self, index: int, count: int) -> list[Layer]:
        """The first `count` tokens of one row, layer by layer, as views."""
        return [(keys[index, :, :count], values[index, :, :count]) for keys, values in self.layers]


class Arenas:
    """All arenas of one engine; `bytes` is what they hold now."""

    def __init__(self, shape: KVShape) -> None:
        self.shape = shape
        self._by_length: dict[int, Arena] = {}

    @property
    def bytes(self) -> int:
        return sum(arena.bytes for arena in self._by_length.values())

    def bytes_to_add(self, tokens: int) -> int:
        """Bytes by which the arenas grow when another row of `tokens` is taken."""
        length = length_class(tokens)
        arena = self._by_length.get(length)
        rows, held = (len(arena.places), arena.held_rows) if arena else (0, 0)
        return (rows_to_hold(rows + 1) - held) * length * self.shape.bytes_per_token if rows >= held else 0

    def take(self, tokens: int) -> Place:
        """A place for a row of up to `tokens`. May raise torch's out-of-memory errors; nothing is taken then."""
        length = length_class(tokens)
        if length not in self._by_length:
            self._by_length[length] = Arena(self.shape, length)
        arena = self._by_length[length]
        if len(arena.places) >= arena.held_rows:
            arena.hold(rows_to_hold(len(arena.places) + 1))
        return arena.add()

    def move(self, place: Place, tokens: int, *, computed: int) -> None:
        """Move a row with `computed` tokens to where `tokens` fit. The place stays the same object."""
        target = self.take(tokens)
        write_row(target, place.arena.row(place.index, computed))
        place.arena.remove(place)
        place.arena, place.index = target.arena, target.index
        place.arena.places[place.index] = place

    def free(self, place: Place, *, wipe: bool = False) -> None:
        """Give a row back. `wipe` it when it may hold NaN: a masked position counts times zero, and NaN stays NaN."""
        if wipe:
            for kv in place.arena.layers:
                for tensor in kv:
                    tensor[place.index] = 0
        place.arena.remove(place)

    def trim(self) -> None:
        """Give back the memory of rows that nobody uses."""
        for length, arena in list(self._by_length.items()):
            if not arena.places:
                del self._by_length[length]
            elif arena.held_rows > len(arena.places):
                arena.hold(len(arena.places))


def write_row(place: Place, kv: Sequence[Layer]) -> None:
    """Put tokens computed elsewhere at the start of a row."""
    for (keys, values), (own_keys, own_values) in zip(kv, place.arena.layers, strict=True):
        own_keys[place.index, :, : keys.shape[1]] = keys
        own_values[place.index, :, : values.shape[1]] = values


def _make(layer: LayerShape, rows: int, length: int) -> Layer:
    # Zeros, not whatever was there: padding is masked, and a masked NaN is still NaN in the sum.
    return (
        torch.zeros(rows, layer.heads, length, layer.key_width, dtype=layer.dtype, device=layer.device),
        torch.zeros(rows, layer.heads, length, layer.value_width, dtype=layer.dtype, device=layer.device),
    )
