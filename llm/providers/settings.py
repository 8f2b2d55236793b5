"""A call's settings as a provider takes them. Pure."""

from __future__ import annotations

from typing import Any

from state.models import ModelCard, Provider, Sampling

TAKEN: dict[Provider, frozenset[str]] = {
    "openai": frozenset({"temperature", "top_p", "max_tokens", "seed"}),
    # Newer Claude models refuse `temperature` beside `top_p`; a card may choose otherwise by `settings`.
    "anthropic": frozenset({"temperature", "top_k", "max_tokens"}),
    "openai_compatible": frozenset(Sampling.model_fields),
    "custom": frozenset({"temperature", "max_tokens"}),
}
NEUTRAL = {"top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "seed": None}
"""Values that ask for nothing. They are not sent: many servers know only some of these names."""


def taken_settings(card: ModelCard) -> frozenset[str]:
    """Names of the settings that this remote model takes."""
    return TAKEN[card.provider] if card.settings is None else frozenset(card.settings)


def split_settings(sampling: Sampling, card: ModelCard) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What to send, and the names of what was wished for and is not taken.

    The latter is left out and told in the answer's `response_metadata` (`ignored_settings`) instead of refused: a
    graph that asks several models varies seed and sampling without knowing which of them can.
    """
    wished = {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens or card.max_output_tokens}
    wished |= {name: getattr(sampling, name) for name, off in NEUTRAL.items() if getattr(sampling, name) != off}
    taken = taken_settings(card)
    sent = {name: value for name, value in wished.items() if name in taken}
    return sent, tuple(sorted(wished.keys() - taken))
