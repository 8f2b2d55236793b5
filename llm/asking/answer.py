"""An engine's events as LangChain chunks: text, tool calls, and at the end what the call cost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from llm.engine.base import Done, Event, Failed
from llm.tools import BadCall, Call, Piece, Text, ToolCallParser
from state.errors import Unavailable
from state.models import CallMetrics

NO_JSON = "<tool_call>"
"""Stands before a bad call's text. LangChain completes broken JSON to a call if it can; with a tag in front it stays
what it is, and the message lists it under `invalid_tool_calls`."""


class Answer:
    """Builds the chunks of one call. `metrics` is told of the end and gives the call's costs."""

    def __init__(
        self,
        parser: ToolCallParser | None,
        metrics: Callable[[Done], CallMetrics],
        *,
        parallel: bool = True,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """`parser`: of the model's tool format; None when the call has no tools, then all text is content.

        `parallel` false: the first call ends the answer. `extra` joins the metadata of the last chunk.
        """
        self._parser = parser
        self._metrics = metrics
        self._parallel = parallel
        self._extra = dict(extra or {})
        self._calls = 0
        self._errors: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether what follows is not wanted: cancel the request, and read on to its end."""
        return not self._parallel and self._calls > len(self._errors)

    def feed(self, event: Event) -> list[ChatGenerationChunk]:
        """The chunks that this event completes. Raises what a Failed event carries."""
        match event:
            case Failed(error=error):
                raise error
            case Done(reason="cancelled") if not self.complete:
                # Who leaves reads no further, so this end came from elsewhere.
                raise Unavailable("the model was unloaded while it answered; ask again")
            case Done():
                return [*self._chunks(self._parser.finish() if self._parser else []), self._end(event)]
        return self._chunks(self._parser.feed(event.text) if self._parser else [Text(event.text)])

    def _chunks(self, pieces: list[Piece]) -> list[ChatGenerationChunk]:
        made = []
        for piece in pieces:
            if self.complete:
                break
            if not isinstance(piece, Text) or piece.text:
                made.append(self._chunk(piece))
        return made

    def _chunk(self, piece: Piece) -> ChatGenerationChunk:
        match piece:
            case Text(text=text):
                return ChatGenerationChunk(message=AIMessageChunk(content=text))
            case Call(name=name, arguments=arguments):
                return self._tool_call(name, arguments)
            case BadCall(name=bad_name, text=text, error=error):
                self._errors.append(error)
                return self._tool_call(bad_name, NO_JSON + text)

    def _tool_call(self, name: str | None, arguments: str) -> ChatGenerationChunk:
        call = tool_call_chunk(name=name, args=arguments, id=f"call_{uuid.uuid4().hex}", index=self._calls)
        self._calls += 1
        return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))

    def _end(self, done: Done) -> ChatGenerationChunk:
        reason = "tool_calls" if self._calls > len(self._errors) else done.reason
        metadata: dict[str, Any] = {
            "finish_reason": reason,
            "model_provider": "local",
            **self._metrics(done).model_dump(),
            **({"tool_call_errors": self._errors} if self._errors else {}),
            **self._extra,
        }
        message = AIMessageChunk(
            content="",
            response_metadata=metadata,
            usage_metadata={
                "input_tokens": done.prompt_tokens,
                "output_tokens": done.tokens_generated,
                "total_tokens": done.prompt_tokens + done.tokens_generated,
                "input_token_details": {"cache_read": done.prompt_tokens_reused},
            },
            chunk_position="last",
        )
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": reason})


def measure(
    done: Done,
    *,
    model: str,
    strategy: str,
    cache_hit: bool,
    load_time_sec: float,
    wait_sec: float,
    before_sec: float,
    total_sec: float,
    vram_used_bytes: int,
) -> CallMetrics:
    """What a call cost, in seconds and tokens.

    `wait_sec`: for the model, without its load. `before_sec`: from the call to the engine's queue, `total_sec`: to its
    end. `tokens_per_sec` is of the inference alone; the first token's time counts from the call, loading included.
    """
    timings = done.timings
    first = timings.first_token
    return CallMetrics(
        model_name=model,
        strategy=strategy,
        cache_hit=cache_hit,
        load_time_sec=load_time_sec,
        inference_time_sec=timings.inference,
        total_time_sec=total_sec,
        queue_wait_sec=wait_sec + timings.queue_wait,
        time_to_first_token_sec=None if first is None else before_sec + first,
        prompt_tokens=done.prompt_tokens,
        prompt_tokens_reused=done.prompt_tokens_reused,
        tokens_generated=done.tokens_generated,
        tokens_per_sec=done.tokens_generated / timings.inference if timings.inference > 0 else 0.0,
        gpu_memory_used_gb=vram_used_bytes / 1e9,
    )
