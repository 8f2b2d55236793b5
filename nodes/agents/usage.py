"""Counting the tokens of all model calls that somebody else's code makes: another graph, a Python agent, a judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers.context import register_configure_hook


class Usage(BaseCallbackHandler):
    """Tokens of the calls made so far, and the model that was asked last."""

    run_inline = True  # not in the threads that everybody shares: it is two additions

    def __init__(self) -> None:
        self.input_tokens = 0
        self.output_tokens = 0
        self.model: str | None = None

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        for generation in (one for several in response.generations for one in several):
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if not isinstance(message, AIMessage):
                continue
            if message.usage_metadata is not None:
                self.input_tokens += message.usage_metadata["input_tokens"]
                self.output_tokens += message.usage_metadata["output_tokens"]
            named = message.response_metadata.get("model_name")
            self.model = named if isinstance(named, str) else self.model


# LangChain's own way to reach calls whose config nobody hands on. Registered once: its list of hooks only grows.
_COUNTING: ContextVar[Usage | None] = ContextVar("lab_agent_usage", default=None)
register_configure_hook(_COUNTING, inheritable=True)


@contextmanager
def counted() -> Iterator[Usage]:
    """Counts what is asked inside, in tasks and threads begun there as well; one inside another counts for both."""
    usage = Usage()
    token = _COUNTING.set(usage)
    try:
        yield usage
    finally:
        _COUNTING.reset(token)
