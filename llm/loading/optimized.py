"""Strategy `optimized`: linear layers in 4 bits (nf4, scales quantised again) or 8, as the card says. Imports torch.

Works on a GPU and on a CPU; on a CPU 4 bits save memory and cost speed (.18 to .45 of fp32, DESIGN.md section 1).
"""

from __future__ import annotations

import logging
from typing import Any

from transformers import BitsAndBytesConfig, PreTrainedModel

from llm.loading.base import Order
from llm.loading.bits import import_bitsandbytes, quantised_by
from llm.loading.faults import DAMAGED, first_line, is_no_memory
from llm.loading.pretrained import read_weights, walk_bytes
from llm.loading.quantised import Entry, entry_of, find, keep, locked
from llm.loading.spread import where
from state.errors import BadRequest

log = logging.getLogger(__name__)


def load_weights(order: Order) -> PreTrainedModel:
    """See `LoadWeights`. Raises ImportError without bitsandbytes and accelerate (extra `gpu`)."""
    import_bitsandbytes()
    model = _load(order)
    _avoid_packing(model)
    return model


def _load(order: Order) -> PreTrainedModel:
    if quantised_by(order.folder):
        return read_weights(order.folder, order.device, order.dtype, **where(order, "optimized"))
    if order.quantised_dir is None:
        return _quantise(order)
    entry = entry_of(order, order.quantised_dir)
    with locked(entry) as ours:
        if not ours:
            return _quantise(order)
        model = _reload(order, entry)
        if model is None:
            model = _quantise(order)
            keep(model, entry, walk_bytes(model))
        return model


def _quantise(order: Order) -> PreTrainedModel:
    settings = where(order, "optimized")
    return read_weights(order.folder, order.device, order.dtype, quantization_config=_settings(order), **settings)


def _settings(order: Order) -> BitsAndBytesConfig:
    if order.card.bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=order.dtype,
    )


def _reload(order: Order, entry: Entry) -> PreTrainedModel | None:
    """What an earlier load kept, if it is there and whole."""
    folder = find(entry)
    if folder is None:
        return None
    try:
        return read_weights(folder, order.device, order.dtype, **where(order, "optimized"))
    except (BadRequest, *DAMAGED) as error:
        if is_no_memory(error):
            raise
        log.warning("quantised weights are damaged, quantising again: %s", first_line(error))
        return None


def _avoid_packing(model: PreTrainedModel) -> None:
    """Keep layers of odd sizes from bitsandbytes' kernel for CPUs with AVX512-BF16.

    At its first forward it packs 4-bit weights for these, 32 rows and 64 columns at a time, and raises AssertionError
    where that does not go up (seen in 0.50). Its general code computes such layers.
    """
    module: Any
    for module in model.modules():
        packs = getattr(module, "support_avx512bf16_for_cpu", False)
        if packs and (module.out_features % 32 or module.in_features % 64):
            module.support_avx512bf16_for_cpu = False
