"""Which strategy and precision suit a device. Pure."""

from __future__ import annotations

from collections.abc import Set

from llm.sizing import DType
from state.models import Strategy
from state.resources import Device


def suited_strategy(device: Device) -> Strategy:
    """4 bits on a GPU; full precision on a CPU, where 4 bits run at .18 to .45 of the speed (DESIGN.md section 1)."""
    return "optimized" if device == "cuda" else "standard"


def choose_dtype(device: Device, cpu_features: Set[str], *, gpu_has_bf16: bool = True) -> DType:
    """Precision of weights that are not quantised.

    On a CPU bf16 only with AMX: without it a prefill takes five times as long as in fp32 (DESIGN.md section 1).
    """
    if device == "cuda":
        return "bfloat16" if gpu_has_bf16 else "float16"
    if device == "mps":
        return "float16"
    return "bfloat16" if "amx_bf16" in cpu_features else "float32"
