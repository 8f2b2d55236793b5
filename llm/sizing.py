"""How many bytes a model takes once loaded, computed without loading it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from state.models import Strategy

DType = Literal["float32", "bfloat16", "float16"]
DTYPE_BYTES: dict[DType, int] = {"float32": 4, "bfloat16": 2, "float16": 2}

NF4_BYTES_PER_WEIGHT = 0.5 + 1 / 64
"""Four bits a weight, and one byte of doubly quantised scale for a block of 64 (QLoRA, arXiv:2305.14314)."""

NF4_BYTES_PER_LINEAR = (16 + 256) * 4 + 4
"""The code books of nf4 and of its 8-bit scales and one offset, as bitsandbytes keeps them with every layer."""

_NOT_LINEAR = ("embed", "wte", "wpe", "lm_head", "norm")
"""Parts of names of matrices that stay at full precision: embeddings, output head, norms."""

_STORED_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
"""Bytes of a number as safetensors files store it; the rest (I8, U8, BOOL, F8) take one."""

_SCALES = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".SCB")
_SETTINGS = (".quant_state.bitsandbytes__nf4", ".quant_state.bitsandbytes__fp4", ".weight_format")
"""Names that bitsandbytes gives, in a checkpoint, to what it keeps beside a weight, and to what it only reads."""


@dataclass(frozen=True)
class TensorInfo:
    """One tensor as its file's header describes it; `dtype` in safetensors spelling (`F32`, `BF16`)."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def is_linear(self) -> bool:
        """Whether bitsandbytes would quantise it: the weight of a linear layer inside the blocks."""
        return len(self.shape) == 2 and self.name.endswith(".weight") and not any(p in self.name for p in _NOT_LINEAR)

    @property
    def layer(self) -> tuple[str, str] | None:
        """The stack of layers it is in and its number there: `("model.layers", "3")`; None outside of the layers."""
        parts = self.name.split(".")
        number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
        return None if number is None else (".".join(parts[:number]), parts[number])


def bytes_of_tensors(
    tensors: Iterable[TensorInfo], strategy: Strategy, dtype: DType, *, tied: bool, bits: Literal[4, 8] = 4
) -> int:
    """Bytes of weights with these tensors; `tied` when embedding and output head share one (`tie_word_embeddings`).

    `bits`: of a linear weight under `optimized`. Weights that are quantised in their files stay as they are.
    """
    kept = [tensor for tensor in tensors if not (tied and tensor.name == "lm_head.weight")]
    quantise = bits if strategy == "optimized" and not is_quantised(kept) else None
    sizes = [(tensor, bytes_of_tensor(tensor, dtype, quantise=quantise)) for tensor in kept]
    return _streamed_bytes(sizes) if strategy == "streaming" else sum(size for _, size in sizes)


def is_quantised(tensors: Iterable[TensorInfo]) -> bool:
    """Whether a checkpoint holds weights that bitsandbytes quantised."""
    return any(tensor.name.endswith((".quant_state.bitsandbytes__nf4", ".SCB")) for tensor in tensors)


def bytes_of_tensor(tensor: TensorInfo, dtype: DType, *, quantise: Literal[4, 8] | None = None) -> int:
    """Bytes of one tensor once loaded; `quantise`: bits of a linear weight."""
    if tensor.name.endswith(_SETTINGS):
        return 0
    if tensor.name.endswith(_SCALES) or not tensor.dtype.startswith(("F", "BF")):
        return tensor.count * _STORED_BYTES.get(tensor.dtype, 1)
    if quantise is None or not tensor.is_linear:
        return tensor.count * DTYPE_BYTES[dtype]
    if quantise == 8:
        return tensor.count + 4 * tensor.shape[0]  # a scale for each row
    nested_scales = 4 * math.ceil(tensor.count / 64 / 256)
    return math.ceil(tensor.count * NF4_BYTES_PER_WEIGHT) + nested_scales + NF4_BYTES_PER_LINEAR


def _streamed_bytes(sizes: Iterable[tuple[TensorInfo, int]]) -> int:
    """What is outside of the largest stack of layers, and the largest layer of that stack."""
    outside, stacks = 0, dict[str, dict[str, int]]()
    for tensor, size in sizes:
        if tensor.layer is None:
            outside += size
        else:
            stack, number = tensor.layer
            layers = stacks.setdefault(stack, {})
            layers[number] = layers.get(number, 0) + size
    largest = max(stacks.values(), key=lambda layers: sum(layers.values()), default={})
    others = sum(sum(layers.values()) for layers in stacks.values() if layers is not largest)
    return outside + others + max(largest.values(), default=0)


def bytes_of_parameters(
    parameters: int,
    strategy: Strategy,
    dtype: DType,
    *,
    bits: Literal[4, 8] = 4,
    embedding_parameters: int | None = None,
) -> int:
    """A guess from the number of weights alone, for a model whose files are not here yet.

    The part that `optimized` leaves at full precision and `streaming` keeps in memory is `embedding_parameters` where
    the card says it. Else it is taken as 130,000 rows of a width that grows with the square root of the size (4,096 at
    7 billion): 142 M weights of Qwen2.5-0.5B's 494 M, where its embedding has 136 M, but 570 M where Llama-3-8B has
    1.05 G. Of the rest `streaming` holds one layer of 24, as few as models of that size have.
    """
    if strategy == "standard":
        return parameters * DTYPE_BYTES[dtype]
    kept = min(parameters, embedding_parameters or round(130_000 * 4096 * math.sqrt(parameters / 7e9)))
    if strategy == "streaming":
        return math.ceil(kept + (parameters - kept) / 24) * DTYPE_BYTES[dtype]
    weight = NF4_BYTES_PER_WEIGHT if bits == 4 else 1.0
    return math.ceil((parameters - kept) * weight + kept * DTYPE_BYTES[dtype])


def kv_bytes_per_token(config: Mapping[str, Any], dtype: DType) -> int:
    """Bytes of keys and values that one token of context takes in all layers; `config` is the model's config.json.

    Names are those of Llama and its kin or of GPT-2. 0 when neither is there, as in models without attention.
    """
    layers = int(config.get("num_hidden_layers") or config.get("n_layer") or 0)
    heads = int(config.get("num_attention_heads") or config.get("n_head") or 0)
    hidden = int(config.get("hidden_size") or config.get("n_embd") or 0)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or (hidden // heads if heads else 0))
    return 2 * layers * kv_heads * head_dim * DTYPE_BYTES[dtype]


def human_bytes(size: int) -> str:
    """`9.1 GiB`, `106.6 MiB`, `3,550 bytes`: as error messages print sizes."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if abs(size) >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:,} bytes"
