"""Memory readings, in bytes, and who holds a model in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

Device = Literal["cpu", "cuda", "mps"]


class Resident(BaseModel):
    """A model in memory, as the cache sees it."""

    model_config = ConfigDict(frozen=True)

    name: str
    strategy: str
    size_bytes: int
    """Weights and buffers."""
    leases: int
    last_used: float
    """Seconds on the monotonic clock of the process."""
    kv_bytes: int = 0
    """Keys and values that its engine may hold now, used or not."""
    pinned: bool = False
    """It makes room for nobody."""
    idle_for_sec: float = 0.0
    expires_in_sec: float | None = None
    """When it leaves if nobody uses it; None while in use, or when it stays until its room is needed."""

    @property
    def total_bytes(self) -> int:
        return self.size_bytes + self.kv_bytes


class Reading(BaseModel):
    """What the device and the model cache report at one moment."""

    model_config = ConfigDict(frozen=True)

    device: Device
    ram_total_bytes: int
    ram_free_bytes: int
    vram_total_bytes: int = 0
    vram_free_bytes: int = 0
    budget_bytes: int
    """What models may take together, weights and KV: `LAB_MAX_VRAM_USAGE`, or measured from the device."""
    resident: tuple[Resident, ...] = ()
    waiting: int = 0
    """Callers waiting for a model now, those of downloads among them."""
    hits: int = 0
    """Leases that were given at once, since the start."""
    loads: int = 0
    load_sec: float = 0.0
    """That these loads took together."""
    evictions: int = 0
    """Models that left because their room was needed; not those whose time was over or that were unloaded by name."""
    failures: int = 0
    """Loads that failed."""

    @property
    def used_bytes(self) -> int:
        return sum(model.total_bytes for model in self.resident)

    @property
    def leased_bytes(self) -> int:
        return sum(model.total_bytes for model in self.resident if model.leases)


@dataclass(frozen=True)
class Holder:
    """Who holds a lease. Ids as texts, None where there is none: what asks outside of a graph has no run."""

    what: str = "a model call"
    run_id: str | None = None
    thread_id: str | None = None
    graph: str | None = None
    node: str | None = None

    def __str__(self) -> str:
        if self.run_id is None:
            return self.what
        known = {"graph": self.graph, "node": self.node, "thread": self.thread_id}
        where = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return f"run {self.run_id} ({where})" if where else f"run {self.run_id}"


@dataclass(frozen=True)
class Held:
    """One lease and how long it has been held, in seconds."""

    holder: Holder
    seconds: float
