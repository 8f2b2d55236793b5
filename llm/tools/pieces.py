"""What a model's text is made of, and how the JSON of a call is read. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


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
    """What stood where a call should be and is none; `error` says why."""

    name: str | None
    text: str
    error: str


Piece = Text | Call | BadCall


def read_calls(body: str) -> list[Call | BadCall]:
    """`{"name": …, "arguments": {…}}`, or a list of such. The families' other spellings of both keys are read, too."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        return [BadCall(None, body.strip(), f"not JSON: {error}")]
    return [_call_of(item) for item in (data if isinstance(data, list) else [data])]


def read_arguments(name: str, body: str) -> Call | BadCall:
    """The arguments alone, where the family writes the name outside of the JSON."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        return BadCall(name, body.strip(), f"not JSON: {error}")
    return _call(name, data, body.strip())


def _call_of(data: Any) -> Call | BadCall:
    text = json.dumps(data, ensure_ascii=False)
    if isinstance(data, dict) and isinstance(data.get("function"), dict):  # OpenAI's own shape
        data = data["function"]
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or not name:
        return BadCall(None, text, "a call needs a 'name'")
    return _call(name, data.get("arguments", data.get("parameters", {})), text)


def _call(name: str, arguments: Any, text: str) -> Call | BadCall:
    if isinstance(arguments, str):  # some models quote the object
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return BadCall(name, text, "'arguments' is not JSON")
    if not isinstance(arguments, dict):
        return BadCall(name, text, "'arguments' is not an object")
    return Call(name, json.dumps(arguments, ensure_ascii=False))
