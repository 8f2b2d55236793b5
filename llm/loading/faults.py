"""What torch and transformers raise when a load fails, and how to tell too little memory anywhere. Imports torch."""

from __future__ import annotations

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

DAMAGED = (
    OSError,
    ValueError,
    ArithmeticError,
    AttributeError,
    KeyError,
    TypeError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)
"""What they raise for files that do not fit together or were tampered with."""

_NO_MEMORY = ("DefaultCPUAllocator", "not enough memory", "Cannot allocate memory", "out of memory", "OutOfMemoryError")
"""In messages of the CPU's allocator, of mmap and of CUDA. torch has a class of its own for a full GPU alone, so here,
and only here, the text has to be read."""


def is_no_memory(error: BaseException) -> bool:
    """Whether the device refused memory. Torch's and the system's words for it arrive as RuntimeError or OSError."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, (RuntimeError, OSError, SafetensorError)) and tells_no_memory(str(error))


def tells_no_memory(text: str) -> bool:
    """Whether a message or a log says that memory was refused."""
    return any(words in text for words in _NO_MEMORY)


def first_line(error: BaseException) -> str:
    """One line of an error of somebody else's."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
