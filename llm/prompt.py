"""LangChain messages and tools in the shape that chat templates read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage

from state.errors import BadRequest


def to_template(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Messages as dicts with `role` and `content`, tool calls in OpenAI's shape.

    Raises BadRequest for no messages, for content that is not text, and for message types without a role.
    """
    if not messages:
        raise BadRequest("a chat needs at least one message")
    return [_one(message) for message in messages]


def _one(message: BaseMessage) -> dict[str, Any]:
    content = text_of(message)
    match message:
        case SystemMessage():
            return {"role": "system", "content": content}
        case HumanMessage():
            return {"role": "user", "content": content}
        case ToolMessage():
            named = {"name": message.name} if message.name else {}
            return {"role": "tool", "content": content, "tool_call_id": message.tool_call_id, **named}
        case AIMessage():
            calls = [_call(call["name"], call["args"], call["id"]) for call in message.tool_calls]
            return {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
        case ChatMessage():
            return {"role": message.role, "content": content}
    raise BadRequest(f"messages of type {message.type!r} cannot be sent to a local model")


def _call(name: str, arguments: dict[str, Any], call_id: str | None) -> dict[str, Any]:
    return {"type": "function", "id": call_id or "", "function": {"name": name, "arguments": arguments}}


def text_of(message: BaseMessage) -> str:
    """The message's text. Raises BadRequest for parts of another kind, such as images."""
    if isinstance(message.content, str):
        return message.content
    return "".join(_part(part, message) for part in message.content)


def _part(part: object, message: BaseMessage) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if isinstance(part, dict) and kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    # Calls repeat in `tool_calls`; earlier thoughts are not sent back to any family's template.
    if isinstance(message, AIMessage) and kind in ("tool_call", "tool_use", "reasoning", "invalid_tool_call"):
        return ""
    raise BadRequest(f"local models read text only; a {message.type} message holds a part of type {kind!r}")
