"""What a remote call cost, and how it ended: gathered from what the provider says along the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from llm.providers.failures import describe
from state.errors import Broken, Unavailable
from state.models import CallMetrics, ModelCard

FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "max_tokens": "length",
    "incomplete": "length",
    "model_context_window_exceeded": "length",
}
"""Providers' words for the end of an answer, in ours; others stay as they are."""

STEADY = ("model_provider", "output_version")
"""Metadata that LangChain reads on every chunk, to understand its content."""


class Tally:
    """One call's account. Feed it every chunk, then take the last one from `end`; or the whole answer to `whole`."""

    def __init__(
        self, card: ModelCard, ignored: tuple[str, ...] = (), clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._card = card
        self._ignored = ignored
        self._clock = clock
        self._asked = clock()
        self._first: float | None = None
        self._said: dict[str, Any] = {}
        self._usage: UsageMetadata | None = None

    def take(self, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
        """The chunk without its metadata, which LangChain would add up over chunks; the last chunk has it all."""
        message = chunk.message
        if self._first is None and (message.content or getattr(message, "tool_call_chunks", None)):
            self._first = self._clock()
        self._note(chunk.generation_info, message)
        kept = {name: message.response_metadata[name] for name in STEADY if name in message.response_metadata}
        message = message.model_copy(update={"response_metadata": kept, "chunk_position": None})
        return ChatGenerationChunk(message=message)

    def end(self, *, must_finish: bool) -> ChatGenerationChunk:
        """The last chunk. Raises Unavailable when the stream stopped without saying that the answer is complete."""
        metadata = self._metadata()
        if must_finish and self._ending() is None:
            raise Unavailable(f"{describe(self._card)}: the stream ended before the answer did; ask again")
        message = AIMessageChunk(content="", response_metadata=metadata, chunk_position="last")
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": metadata["finish_reason"]})

    def whole(self, result: ChatResult) -> ChatResult:
        """A whole answer with our metadata. Raises Broken for an answer without a message of the model."""
        generation = result.generations[0] if result.generations else None
        if generation is None or not isinstance(generation.message, AIMessage):
            raise Broken(f"{describe(self._card)}: its class gave no AIMessage")
        self._note({**(result.llm_output or {}), **(generation.generation_info or {})}, generation.message)
        metadata = self._metadata()
        message = generation.message.model_copy(update={"response_metadata": metadata})
        info = {"finish_reason": metadata["finish_reason"]}
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])

    def _note(self, info: Mapping[str, Any] | None, message: Any) -> None:
        said = {**(info or {}), **message.response_metadata}
        self._said |= {name: value for name, value in said.items() if value is not None}
        if message.usage_metadata is not None:
            self._usage = add_usage(self._usage, message.usage_metadata)

    def _metadata(self) -> dict[str, Any]:
        said, reason = self._said, self._ending() or "stop"
        metadata: dict[str, Any] = {
            **said,
            "finish_reason": FINISH.get(reason, reason),
            "model_provider": said.get("model_provider", self._card.provider),
            "provider_model": said.get("model_name", self._card.model_id),
            **self._metrics().model_dump(),
        }
        return metadata | ({"ignored_settings": list(self._ignored)} if self._ignored else {})

    def _ending(self) -> str | None:
        if self._said.get("incomplete_details"):
            return "length"
        words = (self._said.get(name) for name in ("finish_reason", "stop_reason", "status"))
        return next((str(word) for word in words if word), None)

    def _metrics(self) -> CallMetrics:
        total = self._clock() - self._asked
        usage: Mapping[str, Any] = self._usage or {}
        tokens = usage.get("output_tokens", 0)
        return CallMetrics(
            model_name=self._card.name,
            strategy="remote",
            cache_hit=True,
            inference_time_sec=total,
            total_time_sec=total,
            time_to_first_token_sec=None if self._first is None else self._first - self._asked,
            prompt_tokens=usage.get("input_tokens", 0),
            prompt_tokens_reused=usage.get("input_token_details", {}).get("cache_read") or 0,
            tokens_generated=tokens,
            tokens_per_sec=tokens / total if total > 0 else 0.0,
        )
