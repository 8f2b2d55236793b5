"""Can a model share its forward passes between requests? Asked once after its load. Imports torch and transformers.

No list of architectures: the model's own cache says whether every layer keeps all tokens, and a trial says whether two
requests computed together come out as each does alone. What does not suit is run by `generate` (`plain.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from llm.engine.arena import Arenas, KVShape, LayerShape
from llm.engine.flat import ATTENTION, Step, Stretch, forward
from llm.engine.threads import set_threads
from llm.loading.base import Loaded

log = logging.getLogger(__name__)

TOLERANCE = 0.03
"""Largest relative difference of logits. Rounding gives 1e-6 in fp32 and near 0.01 in bf16; a layer that sees a wrong
token or position gives 0.3 and more."""


def shared_shape(loaded: Loaded) -> KVShape | None:
    """The KV of a model that suits the batching engine, which is then set up for it; None for another.

    Costs the forward passes of about forty tokens.
    """
    model = loaded.model
    own_attention, own_threads = model.config._attn_implementation, torch.get_num_threads()
    set_threads(loaded.size_bytes)
    try:
        with torch.inference_mode():
            shape = _shape_of(model, _rope_limit(model, loaded.card.context_length))
            if not model._can_set_attn_implementation():
                raise NotImplementedError("its attention cannot be replaced")
            model.set_attn_implementation(ATTENTION)
            _compare(model, shape)
        return shape
    # A trial of somebody else's code with unusual input: whatever it raises says that the model does not suit.
    except Exception as error:
        log.info("runs one request at a time: model=%s: %s", loaded.card.name, error)
        if model.config._attn_implementation != own_attention:
            model.set_attn_implementation(own_attention)
        return None
    finally:
        torch.set_num_threads(own_threads)


def _rope_limit(model: Any, context_length: int) -> int:
    """The context length, if positions are encoded alike at every length up to it. Raises NotImplementedError.

    Dynamic and long RoPE change all positions once a sequence is longer than the model was first trained for; requests
    of different lengths cannot share a pass then.
    """
    config = model.config.get_text_config(decoder=True)
    rope = getattr(config, "rope_parameters", None) or {}
    kind = rope.get("rope_type", "default")
    trained = rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
    if kind == "dynamic":
        trained = trained or getattr(config, "max_position_embeddings", 0)
    if kind in ("dynamic", "longrope") and context_length > int(trained or 0):
        raise NotImplementedError(f"rope of type {kind} beyond {trained} tokens")
    return context_length


_TRIAL = (12, 7)
"""Lengths of the two texts that are computed together."""


def _shape_of(model: Any, context_length: int) -> KVShape:
    """Shapes of the KV that the model's own cache holds. Raises NotImplementedError for caches of another kind."""
    cache = DynamicCache(config=model.config)
    model(input_ids=_text(model, 2, offset=0), past_key_values=cache, use_cache=True)
    layers = []
    for layer in cache.layers:
        if not isinstance(layer, DynamicLayer):
            raise NotImplementedError(f"a layer keeps its past in a {type(layer).__name__}")
        window = layer.sliding_window if isinstance(layer, DynamicSlidingWindowLayer) else context_length
        if type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer) or window < context_length:
            raise NotImplementedError(f"a layer keeps its past in a {type(layer).__name__}")
        keys, values = layer.keys, layer.values
        if keys is None or values is None:
            raise NotImplementedError("a layer keeps no past of its own")
        layers.append(LayerShape(keys.shape[1], keys.shape[3], values.shape[3], keys.dtype, keys.device))
    return KVShape(tuple(layers))


def _compare(model: Any, shape: KVShape) -> None:
    """Two texts in one batch, in pieces of different lengths, against each alone."""
    texts = [_text(model, length, offset=number)[0].tolist() for number, length in enumerate(_TRIAL)]
    arenas = Arenas(shape)
    places = [arenas.take(len(text)) for text in texts]
    logits, order = torch.empty(0), [0, 0]
    done = [0, 0]
    for pieces in ((5, 1), (1, 4), (5, 1), (1, 1)):
        stretches = [
            Stretch(place, text[start : start + count], start)
            for place, text, start, count in zip(places, texts, done, pieces, strict=True)
        ]
        step = Step(stretches, model.device)
        logits = forward(model, step, len(shape.layers))
        done = [start + count for start, count in zip(done, pieces, strict=True)]
        order = [next(i for i, one in enumerate(places) if one is s.place) for s in step.order]
    for row, number in enumerate(order):
        alone = model(input_ids=torch.tensor([texts[number]], device=model.device), use_cache=False).logits[0, -1]
        error = _relative(logits[row], alone)
        if not error < TOLERANCE:
            raise NotImplementedError(f"batched and alone its output differs by {error:.3f}")


def _relative(one: torch.Tensor, other: torch.Tensor) -> float:
    one, other = one.float(), other.float()
    spread = float((other - other.mean()).norm())
    return float((one - other).norm()) / spread if spread > 0 else float((one - other).norm())


def _text(model: Any, length: int, *, offset: int) -> torch.Tensor:
    """(1, length) arbitrary tokens."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    ids: Sequence[int] = [(7 + 13 * number + 101 * offset) % vocabulary for number in range(length)]
    return torch.tensor([ids], device=model.device)
