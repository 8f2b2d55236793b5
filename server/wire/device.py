"""What is told of the machine: the device that models live on, and its memory."""

from __future__ import annotations

import os
import platform
import sys
from typing import Protocol

from pydantic import BaseModel, Field

from llm.vram import Memory, processor_name
from state.resources import Device


class GpuInfo(BaseModel):
    index: int
    name: str
    total_bytes: int
    free_bytes: int


class DeviceInfo(BaseModel):
    """Where models live. The GPU's figures are 0 and `gpus` is empty without one, which nobody asked then."""

    kind: Device
    name: str = Field(examples=["AMD EPYC 7763 64-Core Processor"])
    gpu_available: bool
    gpus: list[GpuInfo]
    vram_total_bytes: int
    vram_free_bytes: int
    gpu_memory_total_gb: float = Field(description="in units of 10^9 bytes")
    gpu_memory_used_gb: float = Field(description="by whomever")
    ram_total_bytes: int
    ram_free_bytes: int


class SystemInfo(BaseModel):
    platform: str = Field(examples=["Linux-6.1-x86_64"])
    python: str
    cpu_count: int
    pid: int


class Machine(Protocol):
    """Where models live. Fills: `llm.manager.ModelManager`."""

    @property
    def device(self) -> Device: ...

    def read_memory(self) -> Memory: ...


def device_info(machine: Machine) -> DeviceInfo:
    """Blocks for some files, and for the driver where there is a GPU."""
    memory = machine.read_memory()
    gpus = [GpuInfo(index=gpu.index, name=gpu.name, total_bytes=gpu.total, free_bytes=gpu.free) for gpu in memory.gpus]
    return DeviceInfo(
        kind=machine.device,
        name=gpus[0].name if gpus else processor_name(),
        gpu_available=machine.device != "cpu",
        gpus=gpus,
        vram_total_bytes=memory.vram_total,
        vram_free_bytes=memory.vram_free,
        gpu_memory_total_gb=gigabytes(memory.vram_total),
        gpu_memory_used_gb=gigabytes(memory.vram_total - memory.vram_free),
        ram_total_bytes=memory.ram_total,
        ram_free_bytes=memory.ram_free,
    )


def gigabytes(size: int) -> float:
    """In units of 10^9 bytes, as the seeds tell memory."""
    return round(size / 1e9, 6)


def system_info() -> SystemInfo:
    return SystemInfo(
        platform=platform.platform(terse=True),
        python=".".join(map(str, sys.version_info[:3])),
        cpu_count=os.cpu_count() or 1,
        pid=os.getpid(),
    )
