"""One forward pass over the tokens of many requests, laid one after the other as one flat sequence. Imports torch.

Everything in a decoder but attention looks at one token at a time, so requests share those matrices without padding.
Attention is ours (`attend`): each stretch of tokens looks at its own row of the arenas. transformers calls it through
its interface for attention functions; the cache hands it a `LayerView` where a plain cache hands tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from llm.engine.arena import Arena, Place

ATTENTION = "agent_lab_flat"
"""Name of our attention among transformers' own. With a plain cache it does what `sdpa` does."""


@dataclass(frozen=True)
class Stretch:
    """Tokens of one request in a step: `ids` at positions `start`, `start + 1`, … of its row."""

    place: Place
    ids: Sequence[int]
    start: int


@dataclass(frozen=True)
class _Run:
    """Rows side by side in one arena that decode one token each: flat tokens `at` to `at + count`."""

    arena: Arena
    first: int
    count: int
    at: int
    rows: torch.Tensor
    """(count,) 0, 1, …"""
    positions: torch.Tensor
    """(count,) where each row's new token goes."""
    longest: int
    mask: torch.Tensor | None
    """(count, 1, 1, longest) True where a row has a token; None when all are equally long."""


@dataclass(frozen=True)
class _Chunk:
    """Several tokens of one row: flat tokens `at` to `at + count`, positions `start` to `end`."""

    place: Place
    at: int
    count: int
    start: int
    mask: torch.Tensor | None
    """(count, end) True where a token may look; None for the beginning of a row."""

    @property
    def end(self) -> int:
        return self.start + self.count


class Step:
    """What one forward pass computes. The flat tokens: first decoding rows arena by arena, then longer stretches."""

    def __init__(self, stretches: Sequence[Stretch], device: torch.device) -> None:
        single = [s for s in stretches if len(s.ids) == 1]
        single.sort(key=lambda s: (s.place.arena.length, s.place.index))
        self.order = [*single, *(s for s in stretches if len(s.ids) > 1)]
        self.ids = torch.tensor([[i for s in self.order for i in s.ids]], dtype=torch.long, device=device)
        places = [s.start + offset for s in self.order for offset in range(len(s.ids))]
        self.positions = torch.tensor([places], dtype=torch.long, device=device)
        ends, at = [], 0
        for stretch in self.order:
            at += len(stretch.ids)
            ends.append(at - 1)
        self.last = torch.tensor(ends, dtype=torch.long, device=device)
        """Index, in the flat sequence, of the last token of each stretch of `order`."""
        self.runs = _runs(single, self.positions[0], device)
        self.chunks = _chunks(self.order[len(single) :], len(single), device)


def _runs(single: Sequence[Stretch], positions: torch.Tensor, device: torch.device) -> list[_Run]:
    runs, at = [], 0
    while at < len(single):
        first = single[at].place
        end = at + 1
        while end < len(single) and _follows(single[end - 1].place, single[end].place):
            end += 1
        starts = [s.start for s in single[at:end]]
        longest = max(starts) + 1
        own = positions[at:end]
        mask = None
        if min(starts) != max(starts):
            mask = (torch.arange(longest, device=device) <= own[:, None])[:, None, None, :]
        rows = torch.arange(end - at, device=device)
        runs.append(_Run(first.arena, first.index, end - at, at, rows, own, longest, mask))
        at = end
    return runs


def _follows(one: Place, other: Place) -> bool:
    return one.arena is other.arena and other.index == one.index + 1


def _chunks(longer: Sequence[Stretch], at: int, device: torch.device) -> list[_Chunk]:
    chunks = []
    for stretch in longer:
        count, start = len(stretch.ids), stretch.start
        mask = None
        if start:
            positions = torch.arange(start, start + count, device=device)
            mask = torch.arange(start + count, device=device) <= positions[:, None]
        chunks.append(_Chunk(stretch.place, at, count, start, mask))
        at += count
    return chunks


@dataclass(frozen=True)
class LayerView:
    """What a layer's attention is handed instead of keys and values: where they are, and the step that reads them."""

    step: Step
    layer: int


class _FlatLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Writes a layer's new keys and values into the arenas. Its sizes are never used: a step has its own masks."""

    is_initialized = True

    def __init__(self, step: Step, layer: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._view = LayerView(step, layer)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing: the arenas exist."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Both of shape (1, heads, tokens of the step, width)."""
        for number, flat in enumerate((key_states, value_states)):
            by_token = flat[0].transpose(0, 1)
            for run in self._view.step.runs:
                rows = run.arena.layers[self._view.layer][number]
                if run.count == 1:  # plain indexing costs a third of what tensors of indices do
                    rows[run.first, :, run.longest - 1] = by_token[run.at]
                else:
                    own = rows[run.first : run.first + run.count]
                    # A model split over several GPUs keeps each layer's rows with the layer.
                    indices = run.rows.to(rows.device), run.positions.to(rows.device)
                    own[indices[0], :, indices[1]] = by_token[run.at : run.at + run.count]
            for chunk in self._view.step.chunks:
                own = chunk.place.arena.layers[self._view.layer][number][chunk.place.index]
                own[:, chunk.start : chunk.end] = flat[0, :, chunk.at : chunk.at + chunk.count]
        return self._view, self._view

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


class _FlatCache(Cache):
    """The cache of one step."""

    def __init__(self, step: Step, layers: int) -> None:
        super().__init__(layers=[_FlatLayer(step, number) for number in range(layers)])


def forward(model: PreTrainedModel, step: Step, layers: int) -> torch.Tensor:
    """Logits after the last token of each stretch, (stretches, vocabulary), in the order of `step.order`.

    New KV is in the arenas afterwards; running the same step again writes the same places again.
    """
    out = model(
        input_ids=step.ids,
        position_ids=step.positions,
        # Of four dimensions, so that transformers takes it as it is; `attend` has masks of its own.
        attention_mask=step.ids.new_ones(1, 1, 1, 1, dtype=torch.bool),
        past_key_values=_FlatCache(step, layers),
        use_cache=True,
        logits_to_keep=step.last,
    )
    logits: torch.Tensor = out.logits[0]
    return logits


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: Any,
    value: Any,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over the arenas; `query`: (1, heads, tokens, width). Gives (1, tokens, heads, width of values).

    Raises NotImplementedError for kinds of attention that change the scores in other ways; such models are run by
    `generate`.
    """
    if not isinstance(key, LayerView):
        given = {**settings, "scaling": scaling, "dropout": dropout}
        out: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **given)
        return out
    odd = [name for name in ("softcap", "s_aux", "position_bias") if settings.get(name) is not None]
    if odd:
        raise NotImplementedError(f"attention with {', '.join(odd)}")
    parts = [_attend_run(run, key.layer, query, scaling) for run in key.step.runs]
    parts += [_attend_chunk(chunk, key.layer, query, scaling) for chunk in key.step.chunks]
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).unsqueeze(0), None


def _attend_run(run: _Run, layer: int, query: torch.Tensor, scaling: float | None) -> torch.Tensor:
    """(count, heads, width).

    Query heads that share a KV head are laid beside each other as if they were tokens: without that the KV is copied
    for each of them (29 ms against 0.8 for 14 heads over 2 at 16 rows of 512 tokens).
    """
    keys, values = run.arena.layers[layer]
    own = slice(run.first, run.first + run.count)
    k, v = keys[own, :, : run.longest], values[own, :, : run.longest]
    q = query[0, :, run.at : run.at + run.count].transpose(0, 1)
    shared = q.reshape(run.count, k.shape[1], -1, q.shape[-1])
    mask = None if run.mask is None else run.mask.to(k.device).expand(-1, 1, shared.shape[2], -1)
    out = scaled_dot_product_attention(shared, k, v, attn_mask=mask, scale=scaling)
    return out.reshape(run.count, q.shape[1], -1)


def _attend_chunk(chunk: _Chunk, layer: int, query: torch.Tensor, scaling: float | None) -> torch.Tensor:
    """(count, heads, width)."""
    keys, values = chunk.place.arena.layers[layer]
    k, v = keys[chunk.place.index, None, :, : chunk.end], values[chunk.place.index, None, :, : chunk.end]
    q = query[:, :, chunk.at : chunk.at + chunk.count]
    heads, kv_heads = q.shape[1], k.shape[1]
    if chunk.mask is None:
        grouped = heads != kv_heads
        out = scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, enable_gqa=grouped)
    else:
        group = heads // kv_heads
        shared = q.reshape(1, kv_heads, group * chunk.count, q.shape[-1])
        mask = chunk.mask.to(k.device).repeat(group, 1)
        out = scaled_dot_product_attention(shared, k, v, attn_mask=mask, scale=scaling)
        out = out.reshape(1, heads, chunk.count, -1)
    return out[0].transpose(0, 1)


# transformers knows attention functions by name, for the whole process.
AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
