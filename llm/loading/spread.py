"""A model's parts, as `place` spreads them over several GPUs. Imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from llm.loading.base import Order
from llm.loading.place import Part, place
from llm.sizing import DType, TensorInfo, bytes_of_tensor
from llm.vram import read_gpus
from state.models import Strategy


def where(order: Order, strategy: Strategy) -> dict[str, Any]:
    """Settings of `read_weights` that say on which GPUs the weights go: none where there is no choice.

    Raises NoMemory with the numbers of every GPU.
    """
    gpus = read_gpus() if order.device == "cuda" else ()
    if len(gpus) < 2:
        return {}
    quantise = order.card.bits if strategy == "optimized" else None
    return {"device_map": place(parts_of(order.folder, order.dtype, quantise=quantise), gpus)}


def parts_of(folder: Path, dtype: DType, *, quantise: Literal[4, 8] | None = None) -> list[Part]:
    """What stays whole in the model of a checked folder, in its order, with bytes once loaded. Reads no weights."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    sizes: dict[str, int] = {}
    tied: dict[str, str] = {}
    first: dict[int, str] = {}
    for name, tensor in [*model.named_parameters(remove_duplicate=False), *model.named_buffers()]:
        info = TensorInfo(name, "F32", tuple(tensor.shape))
        part = _part_name(info)
        sizes.setdefault(part, 0)
        if first.setdefault(id(tensor), part) == part:
            sizes[part] += bytes_of_tensor(info, dtype, quantise=quantise)
        else:
            tied[part] = first[id(tensor)]
    return [Part(name, size, tied.get(name)) for name, size in sizes.items()]


def _part_name(tensor: TensorInfo) -> str:
    """The layer a tensor is in, or its module."""
    return tensor.name.rpartition(".")[0] if tensor.layer is None else ".".join(tensor.layer)
