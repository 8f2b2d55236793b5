"""How many CPU threads a model computes in. Imports torch."""

from __future__ import annotations

import psutil
import torch

SMALL_MODEL_BYTES = 200_000_000
"""A model up to this size runs in one CPU thread. Its steps are too short to be split: on two cores that others use,
too, 0.9 M weights in fp32 gave 168-251 tokens/s with one thread and 3-4 with two; 27 M gave 33-36 and 16-23."""


def set_threads(size_bytes: int) -> None:
    """Set the number for the calling thread. The setting is each thread's own, and new threads inherit the latest."""
    torch.set_num_threads(1 if size_bytes <= SMALL_MODEL_BYTES else psutil.cpu_count(logical=False) or 1)
