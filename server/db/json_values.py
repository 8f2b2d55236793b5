"""JSON that Postgres can keep: it has no NaN, no infinity, no NUL character and no half of a surrogate pair."""

from __future__ import annotations

import math
from collections.abc import Mapping

from psycopg.types.json import Jsonb

from state.errors import BadRequest

DEPTH = 100
"""Deeper values are refused: Python's own JSON reader gives up at about 1,000."""


def exact_json(name: str, value: object) -> Jsonb | None:
    """`value` for a jsonb column. Raises BadRequest when it would not come back as it is."""
    kept = _storable(name, value, 0)
    # NaN is unequal to itself, so it is found here too.
    if kept != value:
        raise BadRequest(
            f"{name} holds NaN, infinity, a NUL character or half a surrogate pair, which cannot be stored"
        )
    return None if value is None else Jsonb(kept)


def nearest_json(name: str, value: object) -> Jsonb | None:
    """`value` for a jsonb column, what cannot be kept replaced by null or U+FFFD: one character costs no answer."""
    return None if value is None else Jsonb(_storable(name, value, 0))


def storable_text(text: str) -> str:
    """Without NUL and halves of surrogate pairs; U+FFFD stands in their place."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _storable(name: str, value: object, depth: int) -> object:
    if depth > DEPTH:
        raise BadRequest(f"{name} is nested deeper than {DEPTH}")
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return storable_text(value)
        case Mapping():
            return {storable_text(str(key)): _storable(name, inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [_storable(name, inner, depth + 1) for inner in value]
    raise BadRequest(f"{name} holds a {type(value).__name__}, which is not JSON")
