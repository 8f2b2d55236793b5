"""Calls that are JSON without a tag around it: those of offered tools; any other JSON is the answer's own text."""

from __future__ import annotations

import re

from llm.tools.parser import JsonEnd
from llm.tools.pieces import BadCall, Call, Text, read_calls

_START = re.compile(r'\s*(?:\[\s*)?(?:\{\s*(?:"[^"]*"?)?)?')
_KEYS = ("name", "arguments", "parameters", "function", "type", "id")
_NAME = re.compile(r'"name"\s*:\s*"([^"\\]*)"')


class BareCalls:
    """Reads one JSON value after the other, each at the front of a text that grows."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._end = JsonEnd()

    def read(self, text: str, final: bool) -> tuple[list[Call | BadCall] | None, int] | None:
        """Calls and the length they take, or None and the length that is text for certain; None: need more.

        `text` begins with `{` or `[`.
        """
        if not _may_be_call(text):
            return self._done(None, 1)
        end = self._end.find(text)
        if end is not None:
            calls = self._calls(text[:end])
            return self._done(calls, end)
        if not final:
            return None
        name = _NAME.search(text)
        if name and name[1] in self._names:
            return self._done([BadCall(name[1], text, "the answer ended before the call's last brace")], len(text))
        return self._done(None, len(text))

    def _done(self, calls: list[Call | BadCall] | None, length: int) -> tuple[list[Call | BadCall] | None, int]:
        self._end = JsonEnd()
        return calls, length

    def _calls(self, body: str) -> list[Call | BadCall] | None:
        calls = read_calls(body)
        if calls and all(call.name in self._names for call in calls):
            return calls
        named = _NAME.search(body)
        if len(calls) == 1 and calls[0].name is None and named and named[1] in self._names:
            return calls  # meant as a call, but not JSON
        return None


def _may_be_call(text: str) -> bool:
    """Whether this start of a JSON value can become a call: so far it is a brace and a key that calls have."""
    start = _START.match(text)
    found = start[0] if start else ""
    if start is None or "{" not in found:
        return len(found) == len(text)
    key = found[found.index("{") + 1 :].strip()
    if not key:
        return len(found) == len(text)
    if key.endswith('"') and len(key) > 1:
        return key[1:-1] in _KEYS
    return any(each.startswith(key[1:]) for each in _KEYS)


def as_text(text: str) -> list[Text]:
    """No piece for no text."""
    return [Text(text)] if text else []
