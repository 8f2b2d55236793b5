"""From a checked folder to a model that can run: the table of strategies and the one load at a time. Imports torch."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from llm.check import check_folder, read_json
from llm.loading import optimized, standard, streaming
from llm.loading.base import Loaded, LoadWeights, Order
from llm.loading.faults import DAMAGED, first_line, is_no_memory
from llm.loading.pretrained import read_codec, walk_bytes
from llm.loading.streaming import resident_bytes
from llm.sizing import DType, bytes_of_tensors, human_bytes, kv_bytes_per_token
from llm.vram import DeviceMeter
from state.errors import BadRequest, Broken, NoMemory
from state.models import ModelCard, Strategy
from state.resources import Device

STRATEGIES: dict[Strategy, LoadWeights] = {
    "standard": standard.load_weights,
    "optimized": optimized.load_weights,
    "streaming": streaming.load_weights,
}

LOADING = threading.Lock()
"""One for the process, whoever loads: while it loads, transformers swaps initialisers and default dtypes of torch for
everybody, and two loads at once silently corrupt models with tied weights (5 of 6 trials, DESIGN.md section 1)."""


def open_model(
    card: ModelCard,
    strategy: Strategy,
    folder: Path,
    device: Device,
    dtype: DType,
    *,
    quantised_dir: Path | None = None,
) -> Loaded:
    """Load it. Raises BadRequest for damaged files, NoMemory when the device refuses, Broken for a half-loaded one."""
    with LOADING, _no_progress_bar():
        model = _load_weights(strategy, Order(card, folder, device, dtype, quantised_dir))
        codec = read_codec(folder, card)
    missing = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    if missing:
        raise Broken(f"{card.name}: {len(missing)} weights were not loaded, {missing[0]} among them")
    model.eval()  # type: ignore[no-untyped-call]
    size = resident_bytes(model) if strategy == "streaming" else walk_bytes(model)
    return Loaded(card, strategy, model, codec, size, kv_bytes_per_token(model.config.to_dict(), dtype))


def _load_weights(strategy: Strategy, order: Order) -> PreTrainedModel:
    """The strategy's model, or an error of ours."""
    name = order.card.name
    try:
        return STRATEGIES[strategy](order)
    except NoMemory as error:
        raise NoMemory(f"{name} ({strategy}) {error}") from error
    except ImportError as error:
        raise BadRequest(
            f"{name} ({strategy}): {first_line(error)}; pip install 'agent-lab[gpu]', or strategy standard"
        ) from error
    except (MemoryError, *DAMAGED) as error:
        if is_no_memory(error):
            raise NoMemory(_no_memory(strategy, order, first_line(error))) from error
        raise BadRequest(f"{name} cannot be loaded from {order.folder}: {first_line(error)}") from error


def _no_memory(strategy: Strategy, order: Order, refusal: str) -> str:
    tied = bool(read_json(order.folder / "config.json").get("tie_word_embeddings", False))
    needed = bytes_of_tensors(check_folder(order.folder), strategy, order.dtype, tied=tied, bits=order.card.bits)
    lighter = "" if strategy == "streaming" else ", or load it with strategy streaming"
    return (
        f"{order.card.name} ({strategy}) needs {human_bytes(needed)} once loaded and more meanwhile, "
        f"{human_bytes(DeviceMeter(order.device).read().free)} are free on {order.device}, and it refused: {refusal}; "
        f"unload other models{lighter}"
    )


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
