"""What a load needs, who leaves so that it fits, and who stands in its way. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from llm.sizing import human_bytes
from state.errors import NoMemory
from state.resources import Resident

KV_FLOOR_TOKENS = 2048
"""Tokens whose keys and values (KV) a model gets room for when it is loaded, if its window has as many."""
KV_LEAST_TOKENS = 256
"""Where memory is short, that many will do; below, a model could answer hardly anybody and is not loaded."""


@dataclass(frozen=True)
class Need:
    """Bytes that a load takes: weights, and KV from its first moment on, `kv_least` of them without fail."""

    weights: int
    kv: int = 0
    kv_least: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.kv

    @property
    def least(self) -> int:
        return self.weights + self.kv_least

    def __str__(self) -> str:
        if not self.kv_least:
            return f"needs {human_bytes(self.weights)}"
        return f"needs {human_bytes(self.least)} ({human_bytes(self.kv_least)} of that for KV)"


def need_of(weights: int, kv_bytes_per_token: int, window: int) -> Need:
    """`window`: the model's context length in tokens."""
    return Need(
        weights,
        kv=kv_bytes_per_token * min(window, KV_FLOOR_TOKENS),
        kv_least=kv_bytes_per_token * min(window, KV_LEAST_TOKENS),
    )


def to_evict(
    residents: Iterable[Resident], *, wanted: int, free: int, now: float = math.inf, hold: float = 0.0
) -> list[Resident]:
    """Models to unload so that `wanted` bytes fit: idle ones, least recently used first, and none without need.

    `free` is what can be taken now, in bytes. Leased and pinned models never leave, nor those used less than `hold`
    seconds before `now`. Raises NoMemory when unloading all others would still not do.
    """
    idle = (model for model in residents if not model.leases and not model.pinned)
    movable = [model for model in idle if model.last_used + hold <= now]
    leaving = _enough(sorted(movable, key=lambda model: model.last_used), wanted - free)
    free += sum(model.total_bytes for model in leaving)
    if free < wanted:
        raise NoMemory(
            f"needs {human_bytes(wanted)}, only {human_bytes(max(free, 0))} can be freed beside the models in use"
        )
    return leaving


def _enough(models: Sequence[Resident], missing: int) -> list[Resident]:
    """The first of `models` that make up `missing` bytes together, less those that the last ones make needless."""
    chosen: list[Resident] = []
    for model in models:
        if missing <= 0:
            break
        chosen.append(model)
        missing -= model.total_bytes
    for model in chosen[::-1]:
        if missing + model.total_bytes <= 0:
            chosen.remove(model)
            missing += model.total_bytes
    return chosen


def make_room(
    residents: Collection[Resident], need: Need, *, free: int, now: float = math.inf, hold: float = 0.0
) -> tuple[list[Resident], int]:
    """Who leaves for a load, and the bytes of KV it starts with: fewer than it would like where no more can be had.

    Raises NoMemory as `to_evict`.
    """
    try:
        return to_evict(residents, wanted=need.total, free=free, now=now, hold=hold), need.kv
    except NoMemory:
        leaving = to_evict(residents, wanted=need.least, free=free, now=now, hold=hold)
        left = free + sum(model.total_bytes for model in leaving) - need.weights
        return leaving, min(need.kv, left)


def check_fits(name: str, need: Need, *, budget: int, pinned: Collection[Resident]) -> None:
    """Raises NoMemory, with the numbers, when a model cannot be loaded even beside the pinned ones alone."""
    kept = sum(model.total_bytes for model in pinned)
    if need.least <= budget - kept:
        return
    who = ", ".join(f"{model.name} ({model.strategy})" for model in pinned)
    held = f", of which pinned models hold {human_bytes(kept)}: {who}; unpin one" if pinned else ""
    raise NoMemory(
        f"{name} {need} and can never fit: models may take {human_bytes(budget)} together (LAB_MAX_VRAM_USAGE){held}"
    )


def in_the_way(
    residents: Iterable[Resident], *, wanted: int, free: int, already: Collection[tuple[str, str]] = ()
) -> frozenset[tuple[str, str]]:
    """Models, in use or not, that have to leave so that `wanted` bytes fit: those of `already` first, then idle ones,
    then by their last use. Pinned ones never; what is found may not suffice.
    """
    movable = sorted(
        (model for model in residents if not model.pinned),
        key=lambda model: ((model.name, model.strategy) not in already, model.leases > 0, model.last_used),
    )
    return frozenset((model.name, model.strategy) for model in _enough(movable, wanted - free))
