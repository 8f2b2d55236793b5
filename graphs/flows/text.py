"""A text before it is parsed: its size, characters that no parser may see, JSON that YAML's parser would refuse."""

from __future__ import annotations

import json
import re

from graphs.flows.faults import Fault, FlowErrors, Mark

MAX_BYTES = 256 * 1024

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_TAG_LINE = re.compile(r"^%TAG", re.MULTILINE)
"""The parser holds each against all before it: sixteen thousand of them would take it a second."""
_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def readable(text: str, file: str) -> str:
    """The text as YAML's parser takes it. Raises FlowErrors for one that it is not given."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise FlowErrors([Fault(f"larger than {MAX_BYTES} bytes; a definition is smaller", file=file)])
    if (bad := _UNREADABLE.search(text)) is not None:
        line, column = text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start())
        raise FlowErrors([Fault(f"the character U+{ord(bad[0]):04X} cannot be read", (), file, Mark(line, column))])
    if (tag := _TAG_LINE.search(text)) is not None:
        mark = Mark(text.count("\n", 0, tag.start()) + 1, 1)
        raise FlowErrors([Fault("the directive %TAG is not taken; leave the line out", (), file, mark)])
    return _as_yaml(text)


def _as_yaml(text: str) -> str:
    """JSON as the YAML parser takes it: no tabs between values, and characters beyond the first plane written whole."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{") or ("\t" not in text and "\\u" not in text):
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    # Within JSON's texts a tab is written \t, so that every real one stands between values.
    return _PAIR.sub(_joined, text.replace("\t", " "))


def _joined(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"
