"""`[TOOL_CALLS][{"name": …, "arguments": {…}}]`, and the newer `[TOOL_CALLS]name[ARGS]{…}`: Mistral's families."""

from __future__ import annotations

import re

from llm.engine.decode import held_back
from llm.tools.parser import JsonEnd, Step
from llm.tools.pieces import BadCall, Text, read_arguments, read_calls

OPENS, ARGS = "[TOOL_CALLS]", "[ARGS]"
_HEAD = re.compile(r"\s*([\w.-]+)\s*(?:\[CALL_ID\]\s*[\w-]*\s*)?(?:\[ARGS\]\s*)?\Z")


class MistralScanner:
    """See `Scanner`."""

    def __init__(self) -> None:
        self._end = JsonEnd()

    def step(self, held: str, final: bool) -> Step | None:
        start = held.find(OPENS)
        if start != 0:
            sure = start if start > 0 else len(held) - (0 if final else held_back(held, (OPENS,)))
            return ([Text(held[:sure])], held[sure:]) if sure else None
        body = held[len(OPENS) :]
        found = self._listed(body) if body.lstrip().startswith("[") else self._named(body)
        if found is None and final:
            found = [BadCall(None, body.strip(), "the answer ended before the call did")], ""
        if found is not None:
            self._end = JsonEnd()
        return found

    def _listed(self, body: str) -> Step | None:
        lead = len(body) - len(body.lstrip())
        end = self._end.find(body[lead:])
        return None if end is None else (list(read_calls(body[lead : lead + end])), body[lead + end :])

    def _named(self, body: str) -> Step | None:
        again, brace = body.find(OPENS), body.find("{")
        if again >= 0 and not 0 <= brace < again:
            return [BadCall(None, body[:again].strip(), "a call without arguments")], body[again:]
        if brace < 0:
            return None
        end = self._end.find(body[brace:])
        if end is None:
            return None
        head, text, rest = body[:brace], body[brace : brace + end], body[brace + end :]
        if not head.strip():  # one bare object where the list belongs
            return list(read_calls(text)), rest
        name = _HEAD.match(head)
        if name is None:
            return [BadCall(None, (head + text).strip(), "no tool's name before the arguments")], rest
        return [read_arguments(name[1], text)], rest
