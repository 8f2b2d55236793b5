"""What agents see of an MCP server: names that every provider takes, results as bounded texts, errors in one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from re import sub
from typing import Any

MAX_NAME = 64
"""Of a tool, for the model providers."""
MAX_CHARS = 50_000
"""Of a result: it becomes part of a prompt and of a checkpoint."""
MAX_TOLD = 300
_CLOSED = frozenset({"BrokenResourceError", "ClosedResourceError", "EndOfStream"})
"""Of anyio, which say nothing themselves."""


def tool_names(server: str, tools: Iterable[str]) -> dict[str, str]:
    """`server__tool` for each of a server's tools, by the server's own names; no two alike."""
    names: dict[str, str] = {}
    for tool in tools:
        plain = f"{server}__{sub(r'[^A-Za-z0-9_-]', '_', tool)}"
        if len(plain) > MAX_NAME or plain in names.values():
            mark = sha256(tool.encode(errors="surrogatepass")).hexdigest()[:8]
            plain = f"{plain[: MAX_NAME - 9]}_{mark}"
        names[tool] = plain
    return names


def text_of(content: Sequence[Any], structured: Any = None) -> str:
    """A result's blocks as one text; of what is no text its kind and size are told."""
    parts = [_part(block) for block in content]
    if not parts and structured is not None:
        parts = [json.dumps(structured, ensure_ascii=False)]
    return bounded("\n".join(parts), MAX_CHARS)


def bounded(text: str, most: int) -> str:
    """A text, with what was cut off it said."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"


def told(error: BaseException, *, seconds: float | None = None) -> str:
    """One line about what went wrong, without addresses and headers, which may hold keys."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "no answer" + (f" within {seconds:g} s" if seconds is not None else "")
    if (response := getattr(error, "response", None)) is not None:
        return f"it answered {getattr(response, 'status_code', '?')}"
    if type(error).__name__ in _CLOSED:
        return "it has closed the connection"
    if isinstance(error, FileNotFoundError):
        return f"there is no {error.filename}" if error.filename else "its command is not there"
    said = " ".join(str(error).split())
    return bounded(said or type(error).__name__, MAX_TOLD)


def _part(block: Any) -> str:
    kind = getattr(block, "type", "")
    if kind == "text":
        return str(block.text)
    if kind == "resource":
        held = block.resource
        text = getattr(held, "text", None)
        return str(text) if text is not None else f"[{held.mimeType or 'a file'}, {len(held.blob) * 3 // 4} bytes]"
    if kind == "resource_link":
        return f"[{block.name}: {block.uri}]"
    return f"[{getattr(block, 'mimeType', kind)}, {len(getattr(block, 'data', '')) * 3 // 4} bytes]"
