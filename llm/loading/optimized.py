"""Strategy `optimized`: linear layers in 4 bits (nf4, scales quantised again). Imports torch and bitsandbytes.

Works on a GPU and on a CPU; on a CPU it saves memory and costs speed (.18 to .45 of fp32, DESIGN.md section 1).
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from transformers import BitsAndBytesConfig, PreTrainedModel

from llm.loading.pretrained import read_weights
from llm.sizing import DType
from state.resources import Device


def load_weights(folder: Path, device: Device, dtype: DType) -> PreTrainedModel:
    """See `LoadWeights`. Raises ImportError without bitsandbytes and accelerate (extra `gpu`)."""
    _import_bitsandbytes()
    quantised = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return read_weights(folder, device, dtype, quantization_config=quantised)


def _import_bitsandbytes() -> None:
    """Import it without its download.

    On a CPU with AVX512-BF16 it looks, at import, for the package `kernels`, and with that fetches native code from the
    Hugging Face hub and runs it (seen in 0.50). Nothing is fetched here that is not in the catalogue, so the package is
    hidden from it; its own code is used then, after a warning that is of no use to anybody.
    """
    log = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level, kernels = log.level, sys.modules.get("kernels")
    log.setLevel(logging.ERROR)
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        import bitsandbytes  # noqa: F401, PLC0415 - see above
    finally:
        log.setLevel(level)
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels
