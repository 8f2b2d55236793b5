"""Tool calls out of a model's streamed text. Pure; a family's format is one entry of `FORMATS`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm.engine.decode import held_back


@dataclass(frozen=True)
class Text:
    """Text that is the answer's own."""

    text: str


@dataclass(frozen=True)
class Call:
    """A well-formed call; `arguments` is the JSON text of an object."""

    name: str
    arguments: str


@dataclass(frozen=True)
class BadCall:
    """What stood between the tags when it is not a call; `error` says why."""

    name: str | None
    text: str
    error: str


Piece = Text | Call | BadCall


@dataclass(frozen=True)
class Format:
    """How one family writes calls: what opens and closes them, and how the text between is read."""

    opens: str
    closes: str
    read: Callable[[str], list[Call | BadCall]]


def read_json_call(body: str) -> list[Call | BadCall]:
    """`{"name": …, "arguments": {…}}`, as Hermes and Qwen write; a list of such is several calls."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        return [BadCall(None, body.strip(), f"not JSON: {error}")]
    return [_call_of(item) for item in (data if isinstance(data, list) else [data])]


def _call_of(data: Any) -> Call | BadCall:
    text = json.dumps(data, ensure_ascii=False)
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or not name:
        return BadCall(None, text, "a call needs a 'name'")
    arguments = data.get("arguments", data.get("parameters", {}))
    if isinstance(arguments, str):  # some models quote the object
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return BadCall(name, text, "'arguments' is not JSON")
    if not isinstance(arguments, dict):
        return BadCall(name, text, "'arguments' is not an object")
    return Call(name, json.dumps(arguments, ensure_ascii=False))


FORMATS: dict[str, Format] = {
    "hermes": Format("<tool_call>", "</tool_call>", read_json_call),
}

TAG_TEXTS: tuple[str, ...] = tuple(tag for each in FORMATS.values() for tag in (each.opens, each.closes))
"""Tags that stay visible when an answer is decoded."""


class ToolCallParser:
    """Splits streamed text into the answer's own text and its calls. Never raises for what a model wrote."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._held = ""
        self._inside = False

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now; what may be the start of a tag is held back."""
        self._held += text
        pieces: list[Piece] = []
        while True:
            tag = self._form.closes if self._inside else self._form.opens
            before, found, after = self._held.partition(tag)
            if not found:
                break
            pieces += self._form.read(before) if self._inside else _text(before)
            self._held, self._inside = after, not self._inside
        if not self._inside:
            sure = len(self._held) - held_back(self._held, (self._form.opens,))
            pieces += _text(self._held[:sure])
            self._held = self._held[sure:]
        return pieces

    def finish(self) -> list[Piece]:
        """What is left when the answer ends; an open call is a BadCall, never text."""
        rest, self._held = self._held, ""
        if not self._inside:
            return _text(rest)
        self._inside = False
        return [BadCall(None, rest.strip(), f"the answer ended before {self._form.closes}")]


def _text(text: str) -> list[Piece]:
    return [Text(text)] if text else []
