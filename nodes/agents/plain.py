"""Answers as they can be kept: plain JSON whose texts Postgres and a stream can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

from state.agents import AgentReply
from state.errors import AgentFailed

MAX_DEPTH = 50
"""Of an output. It becomes a part of messages, results and events, which are deeper still."""
MAX_INT_BITS = 63
"""What a checkpoint's numbers have room for."""


def kept(reply: AgentReply) -> AgentReply:
    """An answer in which U+FFFD stands for NUL and for halves of surrogate pairs. Raises AgentFailed: no plain JSON."""
    if not isinstance(reply.text, str) or not isinstance(reply.next, str | None):
        raise AgentFailed("its text, or the agent that it names as the next, is no text")
    return replace(
        reply,
        output=_plain(reply.output, 0),
        text=plain_text(reply.text),
        next=None if reply.next is None else plain_text(reply.next),
    )


def plain_text(text: str) -> str:
    """Without NUL and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: Any, depth: int) -> Any:
    if depth >= MAX_DEPTH and isinstance(value, Mapping | list | tuple):
        raise AgentFailed(f"the output is nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool():
            return value
        case str():
            return plain_text(value)
        case int() if value.bit_length() <= MAX_INT_BITS:
            return value
        case float() if isfinite(value):
            return value
        case Mapping():
            return {_key(key): _plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner, depth + 1) for inner in value]
        case int() | float():
            said = "a number of too many digits" if isinstance(value, int) else str(value)
            raise AgentFailed(f"the output holds {said}, which cannot be kept")
    raise AgentFailed(f"the output holds a {type(value).__name__}, which is no plain JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise AgentFailed(f"the output has the key {str(key)[:40]!r}, a {type(key).__name__}; keys are texts")
    return plain_text(key)
