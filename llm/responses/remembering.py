"""Remembering: put before a chat model's class, it answers a call that repeats from a store of answers.

LangChain's own caching (`BaseChatModel.cache`) serves `invoke` alone, and its key holds the metadata of earlier turns,
timings among them, so that no second turn of a conversation is ever found. Here `invoke` and `stream` use the same
entries; the store is LangChain's port, `BaseCache`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from abc import ABC
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from llm.responses.identity import Identity
from llm.responses.replay import stream_of

WHOLE = frozenset({"stop", "tool_calls"})
"""Finish reasons of answers worth keeping; others were cut."""

SILENT = frozenset({"stream", "ls_structured_output_format", "caller"})
"""Settings of a call that do not change its answer."""

OWN_FIELDS = frozenset({"responses", "identity", "caller"})


@dataclass(frozen=True)
class Key:
    """What a call asks (`prompt`) and whom, how (`llm_string`): digests, for no text is kept but the answer's."""

    prompt: str
    llm_string: str
    asked: float


class Remembering(BaseChatModel, ABC):
    """Put before a chat model's class: gives the answer kept for a repeatable call, or asks and keeps the answer.

    Repeatable is what has temperature 0 or a seed. Kept are whole answers alone. A hit takes no lease, loads nothing
    and contacts nobody; its `response_metadata` says `response_cache: true` and its own times.
    """

    responses: Any = Field(exclude=True, repr=False)
    """A `BaseCache`."""
    identity: Any = Field(exclude=True, repr=False)
    """An `Identity` of the model."""
    scope: str = ""
    """Answers are shared within a scope only, such as a tenant."""

    def _repeats(self, given: Mapping[str, Any]) -> bool:
        """Whether asking again would give the same answer; `given`: the call's own settings."""
        temperature, seed = (given.get(name, getattr(self, name)) for name in ("temperature", "seed"))
        return temperature == 0 or seed is not None

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key = self._key(messages, stop, kwargs)
        kept = self._recall(key)
        if kept is not None:
            return ChatResult(generations=[kept])
        result = super()._generate(messages, stop, run_manager, **kwargs)  # type: ignore[safe-super]  # see the class
        self._keep(key, result.generations)
        return result

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        key = await self._akey(messages, stop, kwargs)
        kept = self._recall(key)
        if kept is not None:
            return ChatResult(generations=[kept])
        result = await super()._agenerate(messages, stop, run_manager, **kwargs)
        self._keep(key, result.generations)
        return result

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        key = self._key(messages, stop, kwargs)
        kept = self._recall(key)
        if kept is not None:
            yield from stream_of(cast(AIMessage, kept.message))
            return
        chunks = []
        for chunk in super()._stream(messages, stop, run_manager, **kwargs):
            chunks.append(chunk)
            yield chunk
        self._keep_stream(key, chunks)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        key = await self._akey(messages, stop, kwargs)
        kept = self._recall(key)
        if kept is not None:
            for chunk in stream_of(cast(AIMessage, kept.message)):
                yield chunk
            return
        chunks = []
        async with aclosing(cast(Any, super()._astream(messages, stop, run_manager, **kwargs))) as pieces:
            async for chunk in pieces:
                chunks.append(chunk)
                yield chunk
        self._keep_stream(key, chunks)

    def _key(self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]) -> Key | None:
        asked = time.perf_counter()
        if not self._repeats(given):
            return None
        settings = {name: value for name, value in given.items() if name not in SILENT}
        fields = {name: getattr(self, name) for name in _own_fields(type(self))}
        try:
            prompt = _digest([_said(message) for message in messages])
            llm_string = _digest([cast(Identity, self.identity).read(), fields, stop, settings])
        except TypeError:
            return None  # a setting that is not plain data, such as a class, cannot be compared
        return Key(prompt, llm_string, asked)

    async def _akey(self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]) -> Key | None:
        if not cast(Identity, self.identity).fresh:
            await asyncio.to_thread(cast(Identity, self.identity).read)
        return self._key(messages, stop, given)

    def _recall(self, key: Key | None) -> ChatGeneration | None:
        kept = None if key is None else self.responses.lookup(key.prompt, key.llm_string)
        if key is None or not kept:
            return None
        generation = cast(ChatGeneration, kept[0])
        generation.message.response_metadata |= hit_metrics(time.perf_counter() - key.asked)
        return generation

    def _keep(self, key: Key | None, generations: Sequence[ChatGeneration]) -> None:
        if key is None or len(generations) != 1:
            return
        message = cast(AIMessage, generations[0].message)
        said = message.response_metadata
        # A malformed tool call, too, was not said to its end, and as a chunk it would be completed by guessing.
        if said.get("response_cache") or said.get("finish_reason") not in WHOLE or message.invalid_tool_calls:
            return
        kept = ChatGeneration(
            message=message.model_copy(update={"id": None}), generation_info=generations[0].generation_info
        )
        self.responses.update(key.prompt, key.llm_string, [kept])

    def _keep_stream(self, key: Key | None, chunks: list[ChatGenerationChunk]) -> None:
        if key is not None and chunks:
            self._keep(key, generate_from_stream(iter(chunks)).generations)


def hit_metrics(seconds: float) -> dict[str, Any]:
    """What a hit costs, for `response_metadata`; the tokens stay those of the answer."""
    return {
        "response_cache": True,
        "cache_hit": True,
        "load_time_sec": 0.0,
        "inference_time_sec": 0.0,
        "total_time_sec": seconds,
        "queue_wait_sec": 0.0,
        "time_to_first_token_sec": seconds,
        "prompt_tokens_reused": 0,
        "tokens_per_sec": 0.0,
    }


def _own_fields(kind: type[BaseChatModel]) -> list[str]:
    """Settings that a chat model of ours has beyond LangChain's; one that is added later is in the key at once."""
    own = kind.model_fields.keys() - BaseChatModel.model_fields.keys() - OWN_FIELDS
    return sorted(name for name in own if not kind.model_fields[name].exclude)


def _said(message: BaseMessage) -> dict[str, Any]:
    """What a model reads of a message: not its id, costs or artifacts."""
    return message.model_dump(exclude={"id", "response_metadata", "usage_metadata", "artifact"})


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
