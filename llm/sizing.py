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


def bytes_of_tensors(tensors: Iterable[TensorInfo], strategy: Strategy, dtype: DType, *, tied: bool) -> int:
    """Bytes of weights with these tensors; `tied` when embedding and output head share one (`tie_word_embeddings`)."""
    total = 0.0
    for tensor in tensors:
        if tied and tensor.name == "lm_head.weight":
            continue
        if strategy == "optimized" and tensor.is_linear:
            nested_scales = 4 * math.ceil(tensor.count / 64 / 256)
            total += tensor.count * NF4_BYTES_PER_WEIGHT + nested_scales + NF4_BYTES_PER_LINEAR
        else:
            total += tensor.count * DTYPE_BYTES[dtype]
    return math.ceil(total)


def bytes_of_parameters(parameters: int, strategy: Strategy, dtype: DType) -> int:
    """A guess from the number of weights alone, for a model whose files are not here yet.

    For `optimized` the part that stays at full precision is taken as 130,000 rows of a width that grows with the square
    root of the size (4,096 at 7 billion): 142 M weights of Qwen2.5-0.5B's 494 M, where its embedding has 136 M.
    """
    if strategy != "optimized":
        return parameters * DTYPE_BYTES[dtype]
    kept = min(parameters, round(130_000 * 4096 * math.sqrt(parameters / 7e9)))
    return math.ceil((parameters - kept) * NF4_BYTES_PER_WEIGHT + kept * DTYPE_BYTES[dtype])


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
