"""OpenAI, and every server that speaks its chat completions: vLLM, Ollama, llama.cpp, LM Studio and others."""

from __future__ import annotations

import openai
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from llm.providers.base import Access, Backend, transport_failures
from state.models import ModelCard

OPENAI_URL = "https://api.openai.com/v1"

PASSES = frozenset({"response_format", "reasoning_effort", "verbosity", "presence_penalty", "frequency_penalty"})


def open_openai(card: ModelCard, key: SecretStr, access: Access) -> Backend:
    """A model of OpenAI's own, or of a server that keeps to OpenAI's newest names (`max_completion_tokens`)."""
    return _backend(ChatOpenAI, card, key, access)


def open_openai_compatible(card: ModelCard, key: SecretStr, access: Access) -> Backend:
    """A model of a server with OpenAI's interface: `max_tokens` under its old name, never the Responses API."""
    return _backend(
        BaseChatOpenAI,
        card,
        # The client wants a key; without one here it would take OpenAI's from the environment and send it along.
        key if key.get_secret_value() else SecretStr("none"),
        access,
        in_body=frozenset({"top_k", "repetition_penalty"}),
        # Small servers constrain the answer to a schema more often than they honour a forced tool.
        structured_method="json_schema",
    )


def _backend(
    kind: type[BaseChatOpenAI],
    card: ModelCard,
    key: SecretStr,
    access: Access,
    *,
    in_body: frozenset[str] = frozenset(),
    structured_method: str | None = None,
) -> Backend:
    model = kind(
        model=str(card.model_id),
        api_key=key,
        # Said explicitly: without it, variables of the environment could lead calls elsewhere.
        base_url=card.base_url or OPENAI_URL,
        timeout=access.timeout_sec,
        max_retries=access.retries,
        stream_usage=True,
        stream_chunk_timeout=access.timeout_sec,
        use_responses_api=None if kind is ChatOpenAI and card.base_url is None else False,
        # A kept connection belongs to one event loop and outlives it; the pools are shared by all loops of a process.
        default_headers={"Connection": "close"},
    )
    timeouts, transport = transport_failures(openai.DefaultHttpxClient)
    return Backend(
        model,
        passes=PASSES,
        in_body=in_body,
        structured_method=structured_method,
        timeouts=timeouts,
        interrupted=(openai.APIError, *transport),
        too_short=(openai.LengthFinishReasonError,),
    )
