"""`<tool_call>{"name": …, "arguments": {…}}</tool_call>`: Hermes, Qwen, SmolLM, and the demo model."""

from __future__ import annotations

from llm.engine.decode import held_back
from llm.tools.parser import Step
from llm.tools.pieces import BadCall, Text, read_calls

OPENS, CLOSES = "<tool_call>", "</tool_call>"


class HermesScanner:
    """See `Scanner`."""

    def __init__(self) -> None:
        self._searched = 0
        """Characters of an open call in which no closing tag begins."""

    def step(self, held: str, final: bool) -> Step | None:
        start = held.find(OPENS)
        if start != 0:
            sure = start if start > 0 else len(held) - (0 if final else held_back(held, (OPENS,)))
            return ([Text(held[:sure])], held[sure:]) if sure else None
        end = held.find(CLOSES, self._searched)
        self._searched = 0 if end >= 0 else max(0, len(held) - len(CLOSES) + 1)
        if end >= 0:
            return list(read_calls(held[len(OPENS) : end])), held[end + len(CLOSES) :]
        if final:
            return [BadCall(None, held[len(OPENS) :].strip(), f"the answer ended before {CLOSES}")], ""
        return None
