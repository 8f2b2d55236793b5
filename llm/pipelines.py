"""What a transformers text-generation pipeline says of itself: its model's card and its settings. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm.codec import Codec
from state.errors import BadRequest
from state.models import ModelCard, ToolFormat

_TAKEN = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repetition_penalty",
    "max_new_tokens": "max_tokens",
}
"""Names of transformers, and ours."""

_HARMLESS = frozenset(
    "do_sample generation_config tokenizer stop_strings stop_sequence use_cache return_full_text return_text "
    "pad_token_id bos_token_id eos_token_id output_attentions output_hidden_states transformers_version truncation "
    "padding cache_implementation batch_size".split()
)
_NEUTRAL = {"num_beams": 1, "num_return_sequences": 1, "no_repeat_ngram_size": 0, "min_p": None, "typical_p": 1.0}
"""Settings that we have not, with the value that means nothing."""

SAMPLED = {"temperature": 1.0, "top_k": 50}
"""What transformers samples with when nobody says."""


@dataclass(frozen=True)
class Unwrapped:
    """A transformers pipeline, and what is asked of it: `given` by its user, over `defaults` of its own."""

    model: Any
    tokenizer: Any
    name: str
    given: dict[str, Any]
    defaults: dict[str, Any]


def unwrap(pipeline: Any) -> Unwrapped:
    """Look into a `HuggingFacePipeline` or a transformers pipeline. Raises BadRequest for other tasks and things."""
    inner = getattr(pipeline, "pipeline", None) or pipeline
    task, model, tokenizer = (getattr(inner, name, None) for name in ("task", "model", "tokenizer"))
    if task != "text-generation" or model is None or tokenizer is None:
        said = f"the task {task!r}" if isinstance(task, str) else type(pipeline).__name__
        raise BadRequest(f"a chat model is made of a text-generation pipeline with a tokenizer, not of {said}")
    given = {
        **_of_config(model.generation_config),
        **getattr(inner, "_generate_kwargs", {}),
        **getattr(inner, "_forward_params", {}),
        **(getattr(pipeline, "pipeline_kwargs", None) or {}),
    }
    given = {**_of_config(given.get("generation_config")), **given}
    name = getattr(pipeline, "model_id", None) or str(getattr(model, "name_or_path", ""))
    return Unwrapped(model, tokenizer, name, given, dict(getattr(inner, "_generation_defaults", {})))


def _of_config(config: Any) -> dict[str, Any]:
    return {} if config is None else {key: value for key, value in config.to_diff_dict().items() if key[0] != "_"}


def settings_of(unwrapped: Unwrapped) -> dict[str, Any]:
    """Fields of LocalChatModel. Raises BadRequest for a setting that would change answers and is not known here."""
    given, asked = unwrapped.given, {**unwrapped.defaults, **unwrapped.given}
    for name in sorted(given.keys() - _TAKEN.keys() - _HARMLESS):
        if name not in _NEUTRAL or given[name] not in (None, _NEUTRAL[name]):
            raise BadRequest(f"the pipeline's setting {name}={given[name]!r} has no counterpart here; leave it out")
    settings = {ours: asked[name] for name, ours in _TAKEN.items() if asked.get(name) is not None}
    # The pipeline's own default length gives way to a long prompt, one that was asked for does not.
    if given.get("max_new_tokens") is None:
        settings.pop("max_tokens", None)
    settings = {**SAMPLED, **settings} if asked.get("do_sample") else {**settings, "temperature": 0.0}
    stops = given.get("stop_strings") or given.get("stop_sequence") or []
    return {**settings, "stop": [stops] if isinstance(stops, str) else list(stops) or None}


def card_of(unwrapped: Unwrapped, codec: Codec, tool_format: ToolFormat | None) -> ModelCard:
    """A card for a model of no catalogue. `tool_format` None: what its chat template shows."""
    key = re.sub(r"[^a-z0-9._-]+", "-", unwrapped.name.lower()).strip("._-")[-64:].strip("._-")
    length = unwrapped.given.get("max_new_tokens") or unwrapped.defaults.get("max_new_tokens") or 256
    return ModelCard(
        name=key or "pipeline",
        path=unwrapped.name or "pipeline",
        context_length=_window(unwrapped.model.config, unwrapped.tokenizer),
        max_output_tokens=length,
        parameters=unwrapped.model.num_parameters(),
        capabilities=("chat", "tools"),
        tool_format=tool_format or codec.guessed_format,
    )


def _window(config: Any, tokenizer: Any) -> int:
    """Tokens of prompt and answer. Raises BadRequest when neither model nor tokenizer says."""
    text: Mapping[str, Any] = config.get_text_config().to_dict()
    for name in ("max_position_embeddings", "n_positions", "max_seq_len"):
        if isinstance(text.get(name), int) and text[name] > 0:
            return int(text[name])
    if tokenizer.model_max_length < 10**9:  # transformers writes 10^30 for "not known"
        return int(tokenizer.model_max_length)
    raise BadRequest("neither the pipeline's model nor its tokenizer says how long a text may be")
