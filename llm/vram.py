"""The device and its memory, in bytes."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from state.resources import Device

BUDGET_SHARE: dict[Device, float] = {"cpu": 0.6, "mps": 0.6, "cuda": 0.9}
"""Part of the memory that is free at the start which models may take. The rest of a GPU holds activations, KV and the
allocator's slack; the rest of a computer also its other programs."""


@dataclass(frozen=True)
class Gpu:
    """One GPU, in bytes; `index` as torch counts those that the process may see."""

    index: int
    total: int
    free: int
    name: str = ""


@dataclass(frozen=True)
class Memory:
    """One reading, in bytes. `vram_*` are sums over `gpus`, 0 where there is none."""

    ram_total: int
    ram_free: int
    vram_total: int = 0
    vram_free: int = 0
    gpus: tuple[Gpu, ...] = ()

    @property
    def free(self) -> int:
        """What is free where the models live."""
        return self.vram_free if self.vram_total else self.ram_free


class Meter(Protocol):
    """Where models live and how much room there is."""

    @property
    def device(self) -> Device: ...

    def read(self) -> Memory: ...


@dataclass(frozen=True)
class FixedMeter:
    """Says what it was told; for tests and for machines whose memory must not be asked."""

    memory: Memory
    device: Device = "cpu"

    def read(self) -> Memory:
        return self.memory


@dataclass(frozen=True)
class DeviceMeter:
    """Asks the operating system and, where there are GPUs, their driver."""

    device: Device

    def read(self) -> Memory:
        ram = psutil.virtual_memory()
        if self.device != "cuda":
            return Memory(ram_total=ram.total, ram_free=ram.available)
        gpus = read_gpus()
        total, free = sum(gpu.total for gpu in gpus), sum(gpu.free for gpu in gpus)
        return Memory(ram_total=ram.total, ram_free=ram.available, vram_total=total, vram_free=free, gpus=gpus)


def read_gpus() -> tuple[Gpu, ...]:
    """Every GPU that the process may see, with what is free there now; none without CUDA."""
    import torch  # noqa: PLC0415 - takes seconds to import, and is not needed where there is no GPU

    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        # The allocator keeps freed blocks for the next load; to the driver they still look taken.
        kept = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
        found.append(Gpu(index, total, free + kept, torch.cuda.get_device_name(index)))
    return tuple(found)


def find_device() -> Device:
    """The best device here. Imports torch only where a driver's files say that there may be a GPU."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        import torch  # noqa: PLC0415 - as above: seconds, and only a Mac gets here

        return "mps" if torch.backends.mps.is_available() else "cpu"
    drivers = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd", r"C:\Windows\System32\nvcuda.dll")
    if not any(os.path.exists(driver) for driver in drivers):
        return "cpu"
    import torch  # noqa: PLC0415 - as above

    return "cuda" if torch.cuda.is_available() else "cpu"


def processor_name() -> str:
    """What the processor calls itself; the architecture where nothing says more."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


def cpu_features() -> frozenset[str]:
    """Flags of the processor as Linux names them (`amx_bf16`, `avx512f`); empty where they cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def gpu_has_bf16(device: Device) -> bool:
    """Whether the GPU computes in bf16 itself (Ampere and later); False without a GPU."""
    if device != "cuda":
        return False
    import torch  # noqa: PLC0415 - as above

    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def default_budget(meter: Meter) -> int:
    """Bytes that models may take together when nobody says: `BUDGET_SHARE` of what is free now."""
    return int(meter.read().free * BUDGET_SHARE[meter.device])
