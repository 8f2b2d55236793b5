"""Words of agents and of foreign code, made fit for a message of one line."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_CHARS = 300


def one_line(text: str, chars: int = MAX_CHARS) -> str:
    """`text` in one line of at most `chars` characters, without control characters and halves of pairs."""
    # Cut first: what an agent says can be megabytes.
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text[: chars * 4])
    plain = re.sub(r" {2,}", " ", plain).strip()
    return plain if len(plain) <= chars else plain[: chars - 1] + "…"


def error_line(error: BaseException) -> str:
    """Class and words of what foreign code raised, in one line; to ask it for its words may fail, too."""
    try:
        words = str(error)
    except Exception:
        words = ""
    return one_line(f"{type(error).__name__}: {words}" if words else type(error).__name__)


def hidden(text: str, secrets: Iterable[str | None]) -> str:
    """`text` with `***` for each secret that it repeats."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
