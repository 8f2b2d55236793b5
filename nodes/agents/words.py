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


def hidden(text: str, secrets: Iterable[str | None]) -> str:
    """`text` with `***` for each secret that it repeats."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
