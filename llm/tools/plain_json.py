"""`{"name": …, "arguments": {…}}` on a line of its own, bare or in a ```json fence: any other model."""

from __future__ import annotations

import re

from llm.tools.bare import BareCalls, as_text
from llm.tools.parser import Step
from llm.tools.pieces import Piece

_BLANK = re.compile(r"[ \t]*")
_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n\s*")
_HALF_FENCE = re.compile(r"`{1,3}\Z|```[\w-]*[ \t]*\r?\Z|```[\w-]*[ \t]*\r?\n\s*\Z")
_CLOSE = re.compile(r"\s*```")
_HALF_CLOSE = re.compile(r"\s*`{0,2}\Z")


class JsonScanner:
    """See `Scanner`. A call stands at the start of a line."""

    def __init__(self, names: frozenset[str]) -> None:
        self._calls = BareCalls(names)
        self._in_line = False

    def step(self, held: str, final: bool) -> Step | None:
        if self._in_line:
            return self._to_next_line(held, 0)
        if held[0] == "\n":
            return [*as_text("\n")], held[1:]
        lead = len(_BLANK.match(held)[0])  # type: ignore[index]  # it matches every text
        rest = held[lead:]
        if not rest or (rest[0] == "`" and _HALF_FENCE.match(rest)):
            return self._to_next_line(held, len(held)) if final else None
        fence = _FENCE.match(rest)
        start = lead + (fence.end() if fence else 0)
        if held[start : start + 1] not in ("{", "["):
            self._in_line = True
            return [], held
        found = self._calls.read(held[start:], final)
        if found is None:
            return None
        calls, length = found
        if calls is None:
            return self._to_next_line(held, start + length)
        rest = held[start + length :]
        return self._after(list(calls), rest, final) if fence else (list(calls), rest)

    def _to_next_line(self, held: str, known: int) -> Step:
        """Text up to the end of the line, its first `known` characters whatever they are."""
        end = held.find("\n", known)
        self._in_line = end < 0
        cut = len(held) if end < 0 else end + 1
        return [*as_text(held[:cut])], held[cut:]

    def _after(self, calls: list[Piece], rest: str, final: bool) -> Step | None:
        """The calls and what follows their closing fence, which small models forget."""
        if not final and _HALF_CLOSE.match(rest):
            return None
        close = _CLOSE.match(rest)
        return calls, rest[close.end() :] if close else rest
