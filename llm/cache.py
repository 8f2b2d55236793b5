"""Which models are in memory, who uses them, and what room is left. Loads nothing, waits for nothing, holds no lock.

The law: bytes of residents + free = budget, at every moment (`check_integrity`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from state.errors import Broken
from state.models import Strategy
from state.resources import Resident

Key = tuple[str, Strategy]
Value = TypeVar("Value")


class Phase(Enum):
    """A resident's life: its bytes count from the reservation until it is really gone."""

    LOADING = "loading"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(eq=False)
class Slot(Generic[Value]):
    """One resident. `value` is set while it is READY; `deadline` is when an idle one leaves (monotonic seconds)."""

    key: Key
    size_bytes: int
    phase: Phase = Phase.LOADING
    value: Value | None = None
    leases: int = 0
    last_used: float = 0.0
    deadline: float = field(default=math.inf)

    @property
    def idle(self) -> bool:
        return self.phase is Phase.READY and self.leases == 0

    def as_resident(self) -> Resident:
        """As eviction and readings see it: what is being loaded or unloaded counts as in use."""
        in_use = self.leases or int(self.phase is not Phase.READY)
        return Resident(
            name=self.key[0], strategy=self.key[1], size_bytes=self.size_bytes, leases=in_use, last_used=self.last_used
        )


class ModelCache(Generic[Value]):
    """Slots by (name, strategy) under a budget in bytes. Its caller holds a lock around each call."""

    def __init__(self, budget_bytes: int, *, keep_alive: float) -> None:
        """`keep_alive`: seconds an idle model stays; 0 leaves at once, -1 stays until its room is needed."""
        self.budget_bytes = budget_bytes
        self.free_bytes = budget_bytes
        self._keep_alive = math.inf if keep_alive < 0 else keep_alive
        self._slots: dict[Key, Slot[Value]] = {}

    def __iter__(self) -> Iterator[Slot[Value]]:
        return iter(self._slots.values())

    def __contains__(self, key: object) -> bool:
        return key in self._slots

    def ready(self, key: Key) -> Slot[Value] | None:
        """The slot of a model that can be leased now."""
        slot = self._slots.get(key)
        return slot if slot is not None and slot.phase is Phase.READY else None

    def reserve(self, key: Key, size_bytes: int) -> Slot[Value]:
        """Take the room before loading, so that nobody else can."""
        if key in self._slots:
            raise Broken(f"{key} is already in the cache")
        slot = self._slots[key] = Slot[Value](key, size_bytes)
        self.free_bytes -= size_bytes
        return slot

    def resize(self, slot: Slot[Value], size_bytes: int) -> None:
        """The real size replaces the expected one. `free_bytes` is below 0 afterwards when it does not fit."""
        self.free_bytes += slot.size_bytes - size_bytes
        slot.size_bytes = size_bytes

    def settle(self, slot: Slot[Value], value: Value, now: float) -> None:
        """The load is done: it can be leased."""
        slot.value, slot.phase = value, Phase.READY
        slot.last_used, slot.deadline = now, now + self._keep_alive

    def lease(self, slot: Slot[Value], now: float) -> None:
        """Count one more user."""
        slot.leases += 1
        slot.last_used, slot.deadline = now, math.inf

    def release(self, slot: Slot[Value], now: float) -> None:
        """Count one user less; the last one starts the keep-alive. Nothing happens when the slot was removed."""
        if self._slots.get(slot.key) is not slot:
            return
        if slot.leases <= 0:
            raise Broken(f"{slot.key} was released more often than leased")
        slot.leases -= 1
        slot.last_used = now
        if slot.leases == 0:
            slot.deadline = now + self._keep_alive

    def start_leaving(self, slot: Slot[Value]) -> None:
        """No new lease from here on; its bytes still count."""
        if not slot.idle:
            raise Broken(f"{slot.key} is in use and cannot leave")
        slot.phase = Phase.LEAVING

    def remove(self, slot: Slot[Value]) -> None:
        """It is gone, or its load failed: give the bytes back."""
        del self._slots[slot.key]
        self.free_bytes += slot.size_bytes
        slot.value = None

    def expired(self, now: float) -> list[Slot[Value]]:
        """Idle models whose time is over."""
        return [slot for slot in self if slot.idle and slot.deadline <= now]

    def next_deadline(self) -> float:
        """When the next idle model's time is over (monotonic seconds); infinity when none waits for that."""
        return min((slot.deadline for slot in self if slot.idle), default=math.inf)

    def residents(self) -> tuple[Resident, ...]:
        return tuple(slot.as_resident() for slot in self)

    def check_integrity(self) -> None:
        """Raises Broken when the law does not hold."""
        used = sum(slot.size_bytes for slot in self)
        if used + self.free_bytes != self.budget_bytes:
            raise Broken(f"residents {used} + free {self.free_bytes} != budget {self.budget_bytes} bytes")
        if any(slot.leases < 0 or (slot.leases and slot.phase is not Phase.READY) for slot in self):
            raise Broken(f"a lease is held on a model that is not ready: {self.residents()}")
