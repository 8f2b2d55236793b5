"""Answers as they can be kept: plain JSON whose texts Postgres and a stream can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from state.agents import AgentReply
from state.errors import AgentFailed

MAX_DEPTH = 50
"""Of an output. It becomes a part of messages, results and events, which are deeper still."""
MAX_CHARS = 5_000_000
"""Of an output and of a text: as much as is read of an HTTP agent's answer."""
PART_CHARS = 10
"""What a number, a list or an object counts there. A value that holds itself is found to be too big in a second."""
MAX_INT_BITS = 63
"""What a checkpoint's numbers have room for."""


def kept(reply: AgentReply) -> AgentReply:
    """An answer in which U+FFFD stands for NUL and for halves of surrogate pairs. Raises AgentFailed: no plain JSON.

    What is no count of tokens is 0, and what is no name of a model is None: they cost no answer.
    """
    if not isinstance(reply.text, str) or not isinstance(reply.next, str | None):
        raise AgentFailed("its text, or the agent that it names as the next, is no text")
    return replace(
        reply,
        output=plain_json(reply.output),
        text=plain_json(reply.text, "the text"),
        input_tokens=_count(reply.input_tokens),
        output_tokens=_count(reply.output_tokens),
        model=plain_text(reply.model) if isinstance(reply.model, str) else None,
        next=None if reply.next is None else plain_text(reply.next),
    )


def plain_json(value: Any, what: str = "the output") -> Any:
    """A copy of builtin types, in which no text is one that cannot be stored. Raises AgentFailed, of `what`."""
    return _Copy(what).of(value, 0)


def plain_text(text: str) -> str:
    """Without NUL and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(said: Any) -> int:
    return said if type(said) is int and 0 <= said < 2**MAX_INT_BITS else 0


@dataclass
class _Copy:
    what: str
    room: int = MAX_CHARS

    def of(self, value: Any, depth: int) -> Any:
        if depth >= MAX_DEPTH and isinstance(value, Mapping | list | tuple):
            raise AgentFailed(f"{self.what} is nested deeper than {MAX_DEPTH}")
        self._take(PART_CHARS)
        match value:
            case None | bool():
                return value
            case str():
                return self._text(value)
            # Of a class derived from a number, such as numpy's or an enum's, the number: no checkpoint takes the class.
            case int() if value.bit_length() <= MAX_INT_BITS:
                return int(value)
            case float() if isfinite(value):
                return float(value)
            case Mapping():
                return {self._key(key): self.of(inner, depth + 1) for key, inner in value.items()}
            case list() | tuple():
                return [self.of(inner, depth + 1) for inner in value]
            case int() | float():
                said = "a number of too many digits" if isinstance(value, int) else str(value)
                raise AgentFailed(f"{self.what} holds {said}, which cannot be kept")
        raise AgentFailed(f"{self.what} holds a {type(value).__name__}, which is no plain JSON")

    def _key(self, key: Any) -> str:
        if not isinstance(key, str):
            raise AgentFailed(f"{self.what} has the key {str(key)[:40]!r}, a {type(key).__name__}; keys are texts")
        return self._text(key)

    def _text(self, text: str) -> str:
        self._take(len(text))
        return plain_text(text)

    def _take(self, chars: int) -> None:
        self.room -= chars
        if self.room < 0:
            raise AgentFailed(f"{self.what} is bigger than {MAX_CHARS:,} characters")
