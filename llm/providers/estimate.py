"""Tokens of text whose tokenizer is not here, estimated from above. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

BYTES_PER_TOKEN = 3
"""Of UTF-8. English has four to five, other languages and code three to four, and a Chinese character is three."""
PER_MESSAGE = 6
"""For the role and the marks around a message."""
PER_MEDIUM = 1_600
"""For an image or another block that is not text: what providers count for one of about a megapixel."""


def estimate_text(text: str) -> int:
    """Tokens of a text."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def estimate_messages(messages: Iterable[BaseMessage], tools: Iterable[Mapping[str, Any]] = ()) -> int:
    """Tokens of a prompt with these messages and tool schemas."""
    schemas = sum(estimate_text(json.dumps(tool, default=str)) for tool in tools)
    return schemas + sum(PER_MESSAGE + _message(message) for message in messages)


def _message(message: BaseMessage) -> int:
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    blocks = message.content if isinstance(message.content, list) else []
    media = sum(isinstance(block, dict) and block.get("type") not in ("text", "tool_use") for block in blocks)
    said = estimate_text(message.text) + sum(estimate_text(json.dumps(call["args"], default=str)) for call in calls)
    return said + PER_MEDIUM * media
