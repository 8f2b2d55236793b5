"""`{"name": …, "parameters": {…}}` as the whole answer, several joined by `;`, perhaps behind a tag: Llama 3."""

from __future__ import annotations

from llm.engine.decode import held_back
from llm.tools.bare import BareCalls, as_text
from llm.tools.parser import Step
from llm.tools.pieces import BadCall, Call

TAG = "<|python_tag|>"


class Llama3Scanner:
    """See `Scanner`. A call stands where the answer starts, behind another call, or behind the tag."""

    def __init__(self, names: frozenset[str]) -> None:
        self._calls = BareCalls(names)
        self._lead = " \t\r\n"
        """What may stand before the next call; None of it when this is text and only a tag opens a call."""
        self._in_text = False

    def step(self, held: str, final: bool) -> Step | None:
        if self._in_text:
            return self._text(held, final)
        rest = held.lstrip(self._lead)
        if not final and len(rest) < len(TAG) and TAG.startswith(rest):
            return None
        if rest.startswith(TAG):
            return self._tagged(rest[len(TAG) :], final)
        blank = held if self._lead.isspace() else rest  # what joins two calls is no text
        if not rest.startswith("{"):
            self._in_text = True
            return [], blank
        found = self._calls.read(rest, final)
        if found is None:
            return None
        calls, length = found
        if calls is None:
            self._in_text = True
            return list(as_text(blank[: len(blank) - len(rest) + length])), rest[length:]
        return self._called(calls, rest[length:])

    def _tagged(self, body: str, final: bool) -> Step | None:
        text = body.lstrip()
        found = self._calls.read(text, final) if text.startswith("{") else None
        if found is not None and found[0] is not None:
            return self._called(found[0], text[found[1] :])
        if not final:
            return None
        return [BadCall(None, text, f"what follows {TAG} is no call of an offered tool")], ""

    def _called(self, calls: list[Call | BadCall], rest: str) -> Step:
        self._in_text, self._lead = False, " \t\r\n;"
        return list(calls), rest

    def _text(self, held: str, final: bool) -> Step | None:
        start = held.find(TAG)
        if start == 0:
            return self._tagged(held[len(TAG) :], final)
        sure = start if start > 0 else len(held) - (0 if final else held_back(held, (TAG,)))
        return (list(as_text(held[:sure])), held[sure:]) if sure else None
