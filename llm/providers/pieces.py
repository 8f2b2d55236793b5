"""A provider's answer piece by piece, whatever its class can do. The run's callbacks stay with the model around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from llm.providers.request import RemoteCall
from llm.responses.replay import content_chunk


def pieces(model: BaseChatModel, messages: list[BaseMessage], call: RemoteCall) -> Generator[ChatGenerationChunk]:
    """The chunks of an answer; one chunk from a class that cannot stream. Raises what the provider's class raises."""
    if type(model)._stream is BaseChatModel._stream:
        yield _one_piece(model._generate(messages, stop=call.stop, **call.given))
    else:
        yield from model._stream(messages, stop=call.stop, **call.given)


async def apieces(
    model: BaseChatModel, messages: list[BaseMessage], call: RemoteCall
) -> AsyncGenerator[ChatGenerationChunk]:
    """As `pieces`. Closing it closes the provider's stream, and with it the connection."""
    kind = type(model)
    if kind._stream is BaseChatModel._stream and kind._astream is BaseChatModel._astream:
        yield _one_piece(await model._agenerate(messages, stop=call.stop, **call.given))
        return
    async with aclosing(cast(Any, model._astream(messages, stop=call.stop, **call.given))) as chunks:
        async for chunk in chunks:
            yield chunk


def _one_piece(result: ChatResult) -> ChatGenerationChunk:
    """What a class that cannot stream has to say, as one chunk with its metadata."""
    message = cast(AIMessage, result.generations[0].message)
    chunk = content_chunk(message)
    chunk.message.response_metadata = {**(result.llm_output or {}), **message.response_metadata}
    return chunk
