"""Which models leave so that another fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from llm.sizing import human_bytes
from state.errors import NoMemory
from state.resources import Resident


def to_evict(residents: Iterable[Resident], *, wanted: int, free: int) -> list[Resident]:
    """Models to unload so that `wanted` bytes fit: idle ones, least recently used first.

    `free` is what can be taken now, in bytes. Leased models never leave.
    Raises NoMemory when unloading every idle model would still not do.
    """
    idle = sorted((model for model in residents if not model.leases), key=lambda model: model.last_used)
    leaving: list[Resident] = []
    for model in idle:
        if free >= wanted:
            break
        leaving.append(model)
        free += model.size_bytes
    if free < wanted:
        raise NoMemory(
            f"needs {human_bytes(wanted)}, only {human_bytes(max(free, 0))} can be freed beside the models in use"
        )
    return leaving
