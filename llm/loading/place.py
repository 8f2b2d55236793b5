"""On which GPUs a model's weights go: one GPU where it fits, else whole layers spread over several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llm.sizing import human_bytes
from llm.vram import BUDGET_SHARE, Gpu
from state.errors import NoMemory

_SHARES = 256
"""Steps in which the common share of every GPU's room is searched."""


@dataclass(frozen=True)
class Part:
    """A module that stays whole: a layer, an embedding, a norm, the head. In the order in which a forward runs them."""

    name: str
    size_bytes: int
    tied_to: str | None = None
    """The part that it shares its weight with; it goes where that one goes."""


def place(parts: Sequence[Part], gpus: Sequence[Gpu]) -> dict[str, int]:
    """GPU index by module name, as `device_map` wants it; the whole model is named "".

    One GPU if the model fits there: the one with the least room that is enough, so that large rooms stay whole. Else
    the fewest GPUs that hold it, each filled to about the same share, so that each keeps room for the KV of its layers.
    Raises NoMemory with the numbers of every GPU.
    """
    needed = sum(part.size_bytes for part in parts)
    rooms = {gpu.index: _room(gpu) for gpu in gpus}
    enough = [index for index, room in rooms.items() if room >= needed]
    if enough:
        return {"": min(enough, key=lambda index: (rooms[index], index))}
    largest_first = sorted(rooms, key=lambda index: (-rooms[index], index))
    for count in range(2, len(largest_first) + 1):
        split = _split(parts, {index: rooms[index] for index in largest_first[:count]})
        if split is not None:
            return split
    each = ", ".join(f"GPU {index}: {human_bytes(room)}" for index, room in rooms.items())
    largest = max((part.size_bytes for part in parts), default=0)
    raise NoMemory(
        f"needs {human_bytes(needed)} in whole layers of up to {human_bytes(largest)}; room for weights is {each}; "
        "unload other models, or choose strategy optimized or streaming"
    )


def _room(gpu: Gpu) -> int:
    """What weights may take of it; the rest is for KV and activations, as in the budget."""
    return max(0, gpu.free - round(gpu.total * (1 - BUDGET_SHARE["cuda"])))


def _split(parts: Sequence[Part], rooms: dict[int, int]) -> dict[str, int] | None:
    """Each part's GPU, with the smallest share of each room that does; None when all of it does not."""
    untied = [part for part in parts if part.tied_to is None]
    for step in range(1, _SHARES + 1):
        chosen = _fill(untied, {index: room * step // _SHARES for index, room in rooms.items()})
        if chosen is not None:
            return {part.name: chosen[part.tied_to or part.name] for part in parts}
    return None


def _fill(parts: Sequence[Part], rooms: dict[int, int]) -> dict[str, int] | None:
    """Parts in their order, a GPU after the other; None when they do not fit."""
    chosen: dict[str, int] = {}
    places = iter(rooms.items())
    index, left = next(places)
    for part in parts:
        while part.size_bytes > left:
            following = next(places, None)
            if following is None:
                return None
            index, left = following
        left -= part.size_bytes
        chosen[part.name] = index
    return chosen
