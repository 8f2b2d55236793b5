"""What an agent's output says: the text that other agents, a chat and a page are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

TEXT_KEYS = ("response", "text", "output", "result", "answer")
"""Where agents put their text in an object, by custom; the first that holds one counts."""


def text_of(output: Any) -> str:
    """The text of an output: itself, that under one of TEXT_KEYS, else compact JSON; nothing: an empty text."""
    if output is None:
        return ""
    if isinstance(output, str):
        return output
    if isinstance(output, Mapping):
        for key in TEXT_KEYS:
            if isinstance(said := output.get(key), str):
                return said
    return json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)


def told(answers: Iterable[tuple[str, str]]) -> str:
    """`name: text` of each, a blank line between."""
    return "\n\n".join(f"{name}: {text}" for name, text in answers)
