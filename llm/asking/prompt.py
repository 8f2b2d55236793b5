"""LangChain messages and tools in the shape that chat templates read. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
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


_NOT_SAID = (
    "tool_call",
    "tool_call_chunk",
    "tool_use",
    "invalid_tool_call",
    "reasoning",
    "thinking",
    "redacted_thinking",
)


def _part(part: object, message: BaseMessage) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if isinstance(part, dict) and kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    # Calls repeat in `tool_calls`; earlier thoughts are not sent back to any family's template.
    if isinstance(message, AIMessage) and kind in _NOT_SAID:
        return ""
    raise BadRequest(f"local models read text only; a {message.type} message holds a part of type {kind!r}")


@dataclass(frozen=True)
class Takes:
    """What a model's chat template shows of what it is given; see `Codec.takes`."""

    system: bool = True
    tools: bool = True


def compose(
    chat: Sequence[dict[str, Any]],
    tools: Sequence[dict[str, Any]],
    takes: Takes,
    *,
    instructions: str = "",
    short_ids: bool = False,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None]:
    """Messages and tools for the template. What it does not take is said in words that every model can read.

    `instructions` join the system message. `short_ids`: Mistral's templates refuse ids of calls that are not 9 long.
    """
    messages = list(chat)
    if not takes.tools:
        messages = _joined([_without_calls(message) for message in messages])
        instructions = "\n\n".join(filter(None, [_tools_in_words(tools), instructions]))
        tools = ()
    if short_ids:
        messages = [_with_short_ids(message) for message in messages]
    if instructions:
        messages = _with_instructions(messages, instructions)
    return messages if takes.system else _without_system(messages), list(tools) or None


def _with_instructions(messages: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": text}, *messages]
    first = messages[0]
    return [{**first, "content": "\n\n".join(filter(None, [first["content"], text]))}, *messages[1:]]


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """System messages at the front of the user message that follows, as models without that role are told."""
    made: list[dict[str, Any]] = []
    told = ""
    for message in messages:
        if message["role"] == "system":
            told += message["content"] + "\n\n"
        elif told and message["role"] == "user":
            made.append({**message, "content": told + message["content"]})
            told = ""
        else:
            made.append(message)
    return [*made, {"role": "user", "content": told.strip()}] if told else made


def _tools_in_words(tools: Sequence[dict[str, Any]]) -> str:
    if not tools:
        return ""
    listed = "\n".join(json.dumps(_shown(tool["function"]), ensure_ascii=False) for tool in tools)
    return (
        f"You may call these tools:\n{listed}\n"
        'To call one, answer with nothing but a JSON object: {"name": "<tool>", "arguments": {…}}'
    )


def _shown(function: dict[str, Any]) -> dict[str, Any]:
    return {key: function[key] for key in ("name", "description", "parameters") if key in function}


def _without_calls(message: dict[str, Any]) -> dict[str, Any]:
    """Calls as the text that the model wrote, results as the user's words."""
    if message["role"] == "tool":
        named = f" of {message['name']}" if message.get("name") else ""
        return {"role": "user", "content": f"Result{named}: {message['content']}"}
    if not message.get("tool_calls"):
        return message
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in message["tool_calls"]]
    return {"role": message["role"], "content": "\n".join(filter(None, [message["content"], *calls]))}


def _joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours of the user's as one: templates without tools often want turns that alternate."""
    made: list[dict[str, Any]] = []
    for message in messages:
        if made and message["role"] == made[-1]["role"] == "user":
            made[-1] = {**message, "content": f"{made[-1]['content']}\n{message['content']}"}
        else:
            made.append(message)
    return made


def _with_short_ids(message: dict[str, Any]) -> dict[str, Any]:
    made = dict(message)
    if "tool_call_id" in made:
        made["tool_call_id"] = _short(made["tool_call_id"])
    if made.get("tool_calls"):
        made["tool_calls"] = [{**call, "id": _short(call["id"])} for call in made["tool_calls"]]
    return made


def _short(call_id: str) -> str:
    """Nine letters and digits for this id, always the same ones."""
    if len(call_id) == 9 and call_id.isascii() and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:9]
