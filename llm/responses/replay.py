"""A whole message as the chunks of a stream."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk


def content_chunk(message: AIMessage) -> ChatGenerationChunk:
    """One chunk with the message's content, tool calls and usage, sharing nothing with it; no metadata, no id."""
    calls = [(call["name"], json.dumps(call["args"]), call["id"]) for call in message.tool_calls]
    bad = [(call["name"], call["args"], call["id"]) for call in message.invalid_tool_calls]
    chunks: list[ToolCallChunk] = [
        tool_call_chunk(name=name, args=args, id=call_id, index=index)
        for index, (name, args, call_id) in enumerate([*calls, *bad])
    ]
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=copy.deepcopy(message.content),
            additional_kwargs=copy.deepcopy(message.additional_kwargs),
            tool_call_chunks=chunks,
            usage_metadata=copy.deepcopy(message.usage_metadata),
        )
    )


def stream_of(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """The chunks of a stream that ends as `message`: its content, then its metadata."""
    yield content_chunk(message)
    metadata = copy.deepcopy(message.response_metadata)
    info = {"finish_reason": metadata["finish_reason"]} if "finish_reason" in metadata else None
    last = AIMessageChunk(content="", response_metadata=metadata, chunk_position="last")
    yield ChatGenerationChunk(message=last, generation_info=info)
