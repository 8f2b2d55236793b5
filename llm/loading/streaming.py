"""Strategy `streaming`: a layer's weights come from the disk when its forward begins. Imports torch.

transformers maps safetensors files into memory: a parameter read in the precision that its file has takes no memory
until it is used, and then memory that the system may take back. So the weights are read that way. What lies outside of
the layers (embeddings, norms, head) is converted for the device and stays. The layers share one buffer of the size of
the largest: their parameters are views of it, and a layer copies its own weights there, converted, when its forward
begins. On a CPU that computes in the file's precision nothing is copied: the mapped weights are used as they are.

Between forwards the parameters of a layer hold those of the layer that ran last: only forwards of whole layers may be
run, by one thread at a time, which is what engines do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Module, ModuleList, Parameter
from transformers import PreTrainedModel
from transformers.core_model_loading import WeightConverter

from llm.check import check_folder
from llm.loading.base import Order
from llm.loading.bits import quantised_by
from llm.loading.pretrained import read_weights
from llm.sizing import TensorInfo
from state.errors import BadRequest

_STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}

_ALIGNMENT = 64
"""Bytes: a cache line, and more than any kernel asks for."""


def load_weights(order: Order) -> PreTrainedModel:
    """See `LoadWeights`. Raises BadRequest for checkpoints whose weights cannot be used as their files have them."""
    if quantised_by(order.folder):
        raise BadRequest(f"{order.card.name} is quantised already and cannot be streamed; use strategy optimized")
    model = read_weights(order.folder, "cpu", stored_precision(check_folder(order.folder)))
    if any(isinstance(done, WeightConverter) for done in getattr(model, "_weight_conversions", None) or ()):
        raise BadRequest(f"{order.card.name} has weights that are rearranged when loaded; use another strategy")
    stream_layers(model, torch.device(order.device), getattr(torch, order.dtype))
    return model


def stored_precision(tensors: Iterable[TensorInfo]) -> str:
    """The precision that most bytes of a checkpoint have. Raises BadRequest when it is none that torch computes in."""
    counts: dict[str, int] = {}
    for tensor in tensors:
        counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.count
    most = max(counts, key=lambda name: counts[name], default="no weights")
    if most not in _STORED:
        raise BadRequest(f"streaming reads weights stored as {', '.join(_STORED)}, not {most}; use another strategy")
    return _STORED[most]


def stream_layers(model: PreTrainedModel, device: torch.device, dtype: torch.dtype) -> None:
    """Make a model whose weights are mapped run on `device` in `dtype`, layer by layer."""
    exceptions = model._get_dtype_plan(dtype)

    def precision(name: str, parameter: torch.Tensor) -> torch.dtype:
        """What `standard` would have it in: some models ask for float32 in a few places."""
        if not parameter.is_floating_point():
            return parameter.dtype
        return next((kept for part, kept in exceptions.items() if part in name), dtype)

    layers = layers_of(model)
    inside = streamed_weights(model, layers.values())
    for name, parameter in model.named_parameters():
        if id(parameter) not in inside:
            parameter.data = parameter.data.to(device, precision(name, parameter))
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            module._buffers[name] = buffer.to(device)
    model.config.dtype = dtype
    wanted = {
        prefix: [
            (weight, precision(f"{prefix}.{name}", weight))
            for name, weight in layer.named_parameters()
            if id(weight) in inside
        ]
        for prefix, layer in layers.items()
    }
    if device.type == "cpu" and all(weight.dtype == kind for pairs in wanted.values() for weight, kind in pairs):
        return
    shared = torch.empty(max(map(_bytes_of, wanted.values()), default=0), dtype=torch.uint8, device=device)
    for prefix, layer in layers.items():
        _Stream(layer, wanted[prefix], shared)


def layers_of(model: Module) -> dict[str, Module]:
    """The layers by name: the members of the module list, not inside of another one, that holds most weights."""
    lists = {name: module for name, module in model.named_modules() if isinstance(module, ModuleList)}
    outermost = {
        name: module for name, module in lists.items() if not any(name.startswith(f"{other}.") for other in lists)
    }
    if not outermost:
        return {}
    name = max(outermost, key=lambda name: sum(weight.numel() for weight in outermost[name].parameters()))
    return {f"{name}.{number}": layer for number, layer in outermost[name].named_children()}


def streamed_weights(model: Module, layers: Iterable[Module]) -> set[int]:
    """Identities of the parameters that only layers have; one that something outside shares stays in memory."""
    within = {id(module) for layer in layers for module in layer.modules()}
    outside = {
        id(weight)
        for module in model.modules()
        if id(module) not in within
        for weight in module.parameters(recurse=False)
    }
    return {id(weight) for weight in model.parameters()} - outside


def resident_bytes(model: Module) -> int:
    """Bytes in memory at once: everything outside of the layers, their buffers, and the weights of the largest."""
    layers = layers_of(model).values()
    inside = streamed_weights(model, layers)
    staying = _storages([*(weight for weight in model.parameters() if id(weight) not in inside), *model.buffers()])
    each = [_storages(weight for weight in layer.parameters() if id(weight) in inside) for layer in layers]
    return sum(staying.values()) + max((sum(sizes.values()) for sizes in each), default=0)


class _Stream:
    """Where one layer's weights come from, and the views of the shared buffer that they are copied to."""

    def __init__(self, layer: Module, wanted: list[tuple[Parameter, torch.dtype]], shared: torch.Tensor) -> None:
        views: dict[int, Parameter] = {}
        offset = 0
        for source, kind in wanted:
            end = offset + source.numel() * kind.itemsize
            view = shared[offset:end].view(kind).view(source.shape)
            views[id(source)] = Parameter(view, requires_grad=False)
            offset += _padded(end - offset)
        for module in layer.modules():
            for name, parameter in module._parameters.items():
                module._parameters[name] = views.get(id(parameter), parameter)
        self._pairs = [(source.detach(), views[id(source)]) for source, _ in wanted]
        layer.register_forward_pre_hook(self._bring)

    def _bring(self, *_: Any) -> None:
        for source, view in self._pairs:
            view.copy_(source)


def _bytes_of(wanted: list[tuple[Parameter, torch.dtype]]) -> int:
    return sum(_padded(parameter.numel() * kind.itemsize) for parameter, kind in wanted)


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _storages(tensors: Iterable[torch.Tensor]) -> dict[int, int]:
    """Bytes by address."""
    storages = [tensor.untyped_storage() for tensor in tensors]
    return {storage.data_ptr(): storage.nbytes() for storage in storages}
