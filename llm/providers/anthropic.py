"""Anthropic's messages interface."""

from __future__ import annotations

import anthropic
from langchain_anthropic import ChatAnthropic
from pydantic import SecretStr

from llm.providers.base import Access, Backend, transport_failures
from state.models import ModelCard

ANTHROPIC_URL = "https://api.anthropic.com"

PASSES = frozenset({"response_format", "output_config", "thinking", "reasoning_effort", "cache_control"})


def open_anthropic(card: ModelCard, key: SecretStr, access: Access) -> Backend:
    """A model of Anthropic's, or of a gateway at `base_url` that speaks as it does."""
    model = ChatAnthropic(
        model=str(card.model_id),
        api_key=key,
        # Said explicitly: without it, variables of the environment could lead calls elsewhere.
        base_url=card.base_url or ANTHROPIC_URL,
        timeout=access.timeout_sec,
        max_retries=access.retries,
        max_tokens=card.max_output_tokens,
        # See openai_compatible.py: pooled connections do not survive their event loop.
        default_headers={"Connection": "close"},
    )
    timeouts, transport = transport_failures(anthropic.DefaultHttpxClient)
    return Backend(model, passes=PASSES, timeouts=timeouts, interrupted=(anthropic.APIError, *transport))
