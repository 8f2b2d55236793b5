"""How a model gets into memory: with which strategy, and whether it has to wait. Pure but for sizes asked."""

from __future__ import annotations

from collections.abc import Callable

from llm.sizing import human_bytes
from state.errors import NoMemory
from state.models import Strategy
from state.resources import Reading

BytesNeeded = Callable[[Strategy], int]


def choose_strategy(
    name: str, wanted: Strategy, reading: Reading, bytes_needed: BytesNeeded
) -> tuple[Strategy, tuple[str, ...]]:
    """The strategy to load with, and why when it is not the wanted one.

    A model that fits as wanted keeps its strategy (the manager waits for leased memory). One that never fits so is
    loaded in 4 bits, or, where these do not fit either, streamed from the disk. Raises NoMemory, with the numbers, when
    no strategy can ever fit.
    """
    if is_resident(name, wanted, reading):
        return wanted, ()
    needed = bytes_needed(wanted)
    if fits(needed, name, reading):
        return wanted, ()
    reason = f"{name} takes {human_bytes(needed)} as {wanted}, the budget is {human_bytes(reading.budget_bytes)}"
    reason += _pinned_note(name, reading)
    if fits(bytes_needed("optimized"), name, reading):
        return "optimized", (f"{reason}: 4-bit",)
    smallest = bytes_needed("streaming")
    if fits(smallest, name, reading):
        return "streaming", (f"{reason}: streamed from the disk, which is slow",)
    raise NoMemory(
        f"{name} needs {human_bytes(smallest)} even streamed, the budget is {human_bytes(reading.budget_bytes)}"
        f"{_pinned_note(name, reading)}; choose a smaller model (`lab models`) or raise LAB_MAX_VRAM_USAGE"
    )


def is_resident(name: str, strategy: Strategy, reading: Reading) -> bool:
    """Whether the model is in memory, loaded this way."""
    return any(model.name == name and model.strategy == strategy for model in reading.resident)


def fits(needed: int, name: str, reading: Reading) -> bool:
    """Whether `needed` bytes fit once everybody has left who can: pinned models stay."""
    return needed <= reading.budget_bytes - _pinned_bytes(name, reading)


def must_wait(name: str, strategy: Strategy, needed: int, reading: Reading) -> bool:
    """Whether its load has to wait until models that are in use now are done."""
    if is_resident(name, strategy, reading):
        return False
    return needed > reading.budget_bytes - _held_bytes(name, reading)


def wait_note(name: str, needed: int, reading: Reading) -> str:
    """What it waits for, with the numbers."""
    users = sum(model.leases for model in reading.resident)
    held = _held_bytes(name, reading)
    return (
        f"{name} waits for memory: it needs {human_bytes(needed)}, {human_bytes(held)} of "
        f"{human_bytes(reading.budget_bytes)} are in use by {users} call{'s' if users != 1 else ''}"
    )


def _held_bytes(name: str, reading: Reading) -> int:
    return sum(m.total_bytes for m in reading.resident if m.leases or (m.pinned and m.name != name))


def _pinned_bytes(name: str, reading: Reading) -> int:
    return sum(model.total_bytes for model in reading.resident if model.pinned and model.name != name)


def _pinned_note(name: str, reading: Reading) -> str:
    held = _pinned_bytes(name, reading)
    return f", of which pinned models hold {human_bytes(held)}" if held else ""
