"""From a checked folder to a model that can run: the table of strategies and the one load at a time. Imports torch."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import GenerationConfig
from transformers.utils import logging

from llm.loading import optimized, standard
from llm.loading.base import Loaded, LoadWeights
from llm.loading.pretrained import first_line, read_codec, walk_bytes
from llm.sizing import DType, kv_bytes_per_token
from state.errors import BadRequest, Broken, NoMemory
from state.models import ModelCard, Strategy
from state.resources import Device

STRATEGIES: dict[Strategy, LoadWeights] = {
    "standard": standard.load_weights,
    "optimized": optimized.load_weights,
    "streaming": standard.load_weights,
}

LOADING = threading.Lock()
"""One for the process, whoever loads: while it loads, transformers swaps initialisers and default dtypes of torch for
everybody, and two loads at once silently corrupt models with tied weights (5 of 6 trials, DESIGN.md section 1)."""


def open_model(card: ModelCard, strategy: Strategy, folder: Path, device: Device, dtype: DType) -> Loaded:
    """Load it. Raises BadRequest for damaged files, NoMemory when the device refuses, Broken for a half-loaded one."""
    with LOADING, _no_progress_bar():
        try:
            model = STRATEGIES[strategy](folder, device, dtype)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise NoMemory(f"{card.name} ({strategy}): the device refused the memory: {first_line(error)}") from error
        except ImportError as error:
            raise BadRequest(
                f"{card.name} ({strategy}): {first_line(error)}; pip install 'agent-lab[gpu]', or strategy standard"
            ) from error
        # What transformers raises for files that do not fit together.
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise BadRequest(f"{card.name} cannot be loaded from {folder}: {first_line(error)}") from error
        codec = read_codec(folder, card)
    missing = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if missing:
        raise Broken(f"{card.name}: {len(missing)} weights were not loaded, {missing[0]} among them")
    model.eval()  # type: ignore[no-untyped-call]
    # A checkpoint's sampling defaults would seep into every call; a call says itself what it wants.
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    per_token = kv_bytes_per_token(model.config.to_dict(), dtype)
    return Loaded(card, strategy, model, codec, walk_bytes(model), per_token)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """A load may happen in a server or beside a live display; transformers would draw over it."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def free_memory(device: Device) -> None:
    """Give what dropped models held back to the device."""
    gc.collect()  # models hold cycles: modules, hooks, quantisation states
    if device == "cuda":
        torch.cuda.empty_cache()
