"""Memory readings, in bytes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Device = Literal["cpu", "cuda", "mps"]


class Resident(BaseModel):
    """A model in memory, as the cache sees it."""

    model_config = ConfigDict(frozen=True)

    name: str
    strategy: str
    size_bytes: int
    leases: int
    last_used: float
    """Seconds on the monotonic clock of the process."""


class Reading(BaseModel):
    """What the device and the model cache report at one moment."""

    model_config = ConfigDict(frozen=True)

    device: Device
    ram_total_bytes: int
    ram_free_bytes: int
    vram_total_bytes: int = 0
    vram_free_bytes: int = 0
    budget_bytes: int
    """What models may take together: `LAB_MAX_VRAM_USAGE`, or measured from the device."""
    resident: tuple[Resident, ...] = ()
    waiting: int = 0
    """Callers waiting for a model now."""

    @property
    def used_bytes(self) -> int:
        return sum(model.size_bytes for model in self.resident)

    @property
    def leased_bytes(self) -> int:
        return sum(model.size_bytes for model in self.resident if model.leases)
