"""bitsandbytes, brought in without what it would fetch, and checkpoints that are quantised already."""

from __future__ import annotations

import sys
from logging import ERROR, getLogger
from pathlib import Path

from llm.check import read_json
from state.errors import BadRequest


def quantised_by(folder: Path) -> str | None:
    """How a checkpoint is quantised: `bitsandbytes`, or None. Raises BadRequest for other methods."""
    settings = read_json(folder / "config.json").get("quantization_config")
    if settings is None:
        return None
    method = settings.get("quant_method") if isinstance(settings, dict) else settings
    if method != "bitsandbytes":
        # Some of them fetch the code they run from the hub; none is tested here.
        raise BadRequest(f"{folder}: quantised by {method!r}; only full precision and bitsandbytes can be loaded")
    return "bitsandbytes"


def import_bitsandbytes() -> None:
    """Import it without its download. Raises ImportError without it (extra `gpu`).

    On a CPU with AVX512-BF16 it looks, at import, for the package `kernels`, and with that fetches native code from the
    Hugging Face hub and runs it (seen in 0.50). Nothing is fetched here that is not in the catalogue, so the package is
    hidden from it; its own code is used then, after a warning that is of no use to anybody. Another one comes for every
    layer and token that it computes in 8 bits, in whatever precision but fp16.
    """
    getLogger("bitsandbytes.autograd._functions").setLevel(ERROR)
    log = getLogger("bitsandbytes.backends.cpu.ops")
    level, kernels = log.level, sys.modules.get("kernels")
    log.setLevel(ERROR)
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        import bitsandbytes  # noqa: F401, PLC0415 - see above
    finally:
        log.setLevel(level)
        del sys.modules["kernels"]
        if kernels is not None:
            sys.modules["kernels"] = kernels
