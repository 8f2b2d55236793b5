"""Which models are in memory, who uses them, and what room is left. Loads nothing, waits for nothing, holds no lock.

The law: bytes of residents, weights and KV, + free = budget, at every moment (`check_integrity`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from state.errors import Broken
from state.models import Strategy
from state.resources import Resident

Key = tuple[str, Strategy]
Value = TypeVar("Value")


class Phase(Enum):
    """A slot's life. LEAVING starts when it is chosen to be unloaded and ends when its memory is gone."""

    LOADING = "loading"
    READY = "ready"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Claim:
    """Bytes of KV that an engine asked for and did not get. `since` and `asked` are monotonic seconds."""

    more_bytes: int
    since: float
    asked: float


@dataclass(eq=False)
class Slot(Generic[Value]):
    """One resident. `value` is set while it is READY; `deadline` is when an idle one leaves (monotonic seconds)."""

    key: Key
    size_bytes: int
    kv_bytes: int = 0
    kv_floor: int = 0
    """What its engine was promised when it was opened: `kv_bytes` never falls below."""
    keep_alive: float = math.inf
    pinned: bool = False
    phase: Phase = Phase.LOADING
    value: Value | None = None
    leases: int = 0
    hits: int = 0
    """Leases that were given at once since it was loaded."""
    last_used: float = 0.0
    deadline: float = math.inf
    claim: Claim | None = None

    @property
    def idle(self) -> bool:
        return self.phase is Phase.READY and self.leases == 0

    @property
    def total_bytes(self) -> int:
        return self.size_bytes + self.kv_bytes

    def as_resident(self, now: float) -> Resident:
        """As eviction and readings see it: what is being loaded or unloaded counts as in use."""
        return Resident(
            name=self.key[0],
            strategy=self.key[1],
            size_bytes=self.size_bytes,
            kv_bytes=self.kv_bytes,
            leases=self.leases or int(self.phase is not Phase.READY),
            last_used=self.last_used,
            pinned=self.pinned,
            idle_for_sec=max(0.0, now - self.last_used) if self.idle else 0.0,
            expires_in_sec=max(0.0, self.deadline - now) if self.can_expire else None,
        )

    @property
    def can_expire(self) -> bool:
        return self.idle and not self.pinned and self.deadline < math.inf


class ModelCache(Generic[Value]):
    """Slots by (name, strategy) under a budget in bytes. Its caller holds a lock around each call."""

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self.free_bytes = budget_bytes
        self._slots: dict[Key, Slot[Value]] = {}

    def __iter__(self) -> Iterator[Slot[Value]]:
        return iter(self._slots.values())

    def __contains__(self, slot: object) -> bool:
        return isinstance(slot, Slot) and self._slots.get(slot.key) is slot

    def ready(self, key: Key) -> Slot[Value] | None:
        """The slot of a model that can be leased now."""
        slot = self._slots.get(key)
        return slot if slot is not None and slot.phase is Phase.READY else None

    def reserve(
        self, key: Key, size_bytes: int, kv_bytes: int = 0, *, keep_alive: float = -1, pinned: bool = False
    ) -> Slot[Value]:
        """Take the room before loading, so that nobody else can.

        `keep_alive`: seconds that it stays once idle; 0 leaves at once, -1 stays until its room is needed.
        """
        if key in self._slots:
            raise Broken(f"{key} is already in the cache")
        slot = self._slots[key] = Slot[Value](key, size_bytes, kv_bytes, kv_floor=kv_bytes, pinned=pinned)
        slot.keep_alive = math.inf if keep_alive < 0 else keep_alive
        self.free_bytes -= slot.total_bytes
        return slot

    def resize(self, slot: Slot[Value], size_bytes: int) -> None:
        """The real size replaces the expected one. `free_bytes` is below 0 afterwards when it does not fit."""
        self.free_bytes += slot.size_bytes - size_bytes
        slot.size_bytes = size_bytes

    def resize_kv(self, slot: Slot[Value], kv_bytes: int) -> None:
        """Give its engine this much KV in all. Whoever lets it grow has looked at what is free."""
        self.free_bytes += slot.kv_bytes - kv_bytes
        slot.kv_bytes = kv_bytes

    def settle(self, slot: Slot[Value], value: Value, now: float) -> None:
        """The load is done: it can be leased."""
        slot.value, slot.phase = value, Phase.READY
        slot.last_used, slot.deadline = now, now + slot.keep_alive

    def lease(self, slot: Slot[Value], now: float) -> None:
        """Count one more user."""
        slot.leases += 1
        slot.last_used, slot.deadline = now, math.inf

    def release(self, slot: Slot[Value], now: float) -> None:
        """Count one user less; the last one starts the keep-alive. Nothing happens when the slot was removed."""
        if slot not in self:
            return
        if slot.leases <= 0:
            raise Broken(f"{slot.key} was released more often than leased")
        slot.leases -= 1
        slot.last_used = now
        if slot.leases == 0:
            slot.deadline, slot.claim = now + slot.keep_alive, None

    def start_leaving(self, slot: Slot[Value]) -> None:
        """No new lease from here on; its bytes still count."""
        if not slot.idle:
            raise Broken(f"{slot.key} is in use and cannot leave")
        slot.phase = Phase.LEAVING

    def remove(self, slot: Slot[Value]) -> None:
        """It is gone, or its load failed: give the bytes back."""
        del self._slots[slot.key]
        self.free_bytes += slot.total_bytes
        slot.value = None

    def expired(self, now: float) -> list[Slot[Value]]:
        """Idle models whose time is over."""
        return [slot for slot in self if slot.can_expire and slot.deadline <= now]

    def residents(self, now: float) -> tuple[Resident, ...]:
        return tuple(slot.as_resident(now) for slot in self)

    def check_integrity(self) -> None:
        """Raises Broken when the law does not hold."""
        used = sum(slot.total_bytes for slot in self)
        if used + self.free_bytes != self.budget_bytes:
            raise Broken(f"residents {used} + free {self.free_bytes} != budget {self.budget_bytes} bytes")
        # A model may turn out larger than its headers said; until others have left or it is gone, it does not fit.
        if self.free_bytes < 0 and not any(slot.phase is Phase.LOADING for slot in self):
            raise Broken(f"residents take {used} of {self.budget_bytes} bytes")
        for slot in self:
            if slot.leases < 0 or (slot.leases and slot.phase is not Phase.READY):
                raise Broken(f"{slot.key} has {slot.leases} leases and is {slot.phase.value}")
            if not 0 <= slot.kv_floor <= slot.kv_bytes:
                raise Broken(f"{slot.key} has {slot.kv_bytes} bytes of KV, below its floor {slot.kv_floor}")
