"""The tool calls of a model's last message: which are answered already, and why one is not made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

REJECTED = "rejected"
"""Key in a tool message's `additional_kwargs`: a human did not allow the call."""


def last_reply(scratch: Sequence[AnyMessage]) -> AIMessage:
    """The model's last message."""
    return next(message for message in reversed(scratch) if isinstance(message, AIMessage))


def answers_of(scratch: Sequence[AnyMessage]) -> dict[str, ToolMessage]:
    """What answers the calls of the model's last message, by the call's id; models use the same ids again later on."""
    found: dict[str, ToolMessage] = {}
    for message in reversed(scratch):
        if isinstance(message, AIMessage):
            break
        if isinstance(message, ToolMessage):
            found[message.tool_call_id] = message
    return found


def all_answered(scratch: Sequence[AnyMessage]) -> bool:
    """Whether no call of the model's last message waits for a tool; so too before it has said anything."""
    answered = answers_of(scratch)
    last = next((message for message in reversed(scratch) if isinstance(message, AIMessage)), None)
    return last is None or all(call["id"] in answered for call in last.tool_calls)


def was_rejected(scratch: Sequence[AnyMessage]) -> bool:
    """Whether a human rejected a call; tools are not offered then, or the model would ask again."""
    return any(isinstance(message, ToolMessage) and REJECTED in message.additional_kwargs for message in scratch)


def refuse_unoffered(reply: AIMessage, offered: Sequence[BaseTool]) -> list[ToolMessage]:
    """A tool's message for each call of a tool that was not offered: what a model reads must not call other tools."""
    names = [tool.name for tool in offered]
    return [
        ToolMessage(
            f"Error: {call['name']} is not a valid tool, try one of [{', '.join(names)}].",
            name=call["name"],
            tool_call_id=call["id"],
            status="error",
        )
        for call in reply.tool_calls
        if call["name"] not in names
    ]


async def call_unless_answered(
    request: ToolCallRequest, call: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
) -> ToolMessage | Command[Any]:
    """`ToolNode`'s wrapper around each call: one that is answered already, by a human too, is not made."""
    answered = answers_of(request.state.scratch).get(request.tool_call["id"] or "")
    return answered if answered is not None else await call(request)
