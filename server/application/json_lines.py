"""Where each key of a JSON text stands, so that a mistake can be told with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

KeyPath = tuple[str | int, ...]

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+|\n')


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Path of each key and item, such as ("graphs", "a"), → its line, from 1. `text` is valid JSON."""
    found: dict[KeyPath, int] = {(): 1}
    _walk(_tokens(text), (), found)
    return found


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of the nearest key around it that the text has."""
    while path not in lines:
        path = path[:-1]
    return lines[path]


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKENS.finditer(text):
        if match[0] == "\n":
            line += 1
        else:
            yield match[0], line


def _walk(tokens: Iterator[tuple[str, int]], at: KeyPath, found: dict[KeyPath, int]) -> None:
    """One value, the one that `tokens` says next."""
    token, _ = next(tokens)
    if token == "{":
        _walk_object(tokens, at, found)
    elif token == "[":
        _walk_items(tokens, at, found)


def _walk_object(tokens: Iterator[tuple[str, int]], at: KeyPath, found: dict[KeyPath, int]) -> None:
    for token, line in tokens:
        if token == "}":
            return
        if token == ",":
            continue
        here = (*at, json.loads(token))
        found[here] = line
        next(tokens)  # the colon
        _walk(tokens, here, found)


def _walk_items(tokens: Iterator[tuple[str, int]], at: KeyPath, found: dict[KeyPath, int]) -> None:
    index = 0
    for token, line in tokens:
        if token == "]":
            return
        if token == ",":
            continue
        here = (*at, index)
        found[here] = line
        if token in "{[":
            (_walk_object if token == "{" else _walk_items)(tokens, here, found)
        index += 1
