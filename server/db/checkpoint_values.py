"""What of a checkpoint goes where, and what Postgres cannot keep. Plain functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import EXCLUDED_METADATA_KEYS
from langgraph.checkpoint.serde.types import _DeltaSnapshot

from server.db.json_values import storable_text

LIGHT = 64_000
"""Values up to about this many characters and items are turned into bytes at once: a thread costs more than that."""


def split_values(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in the checkpoint's JSON and what in the blobs. A snapshot leaves the mark `True` in the JSON."""
    inline: dict[str, Any] = {}
    apart: dict[str, Any] = {}
    for channel, value in values.items():
        if isinstance(value, _DeltaSnapshot):
            inline[channel], apart[channel] = True, value
        elif _survives_jsonb(value):
            inline[channel] = value
        else:
            apart[channel] = value
    return inline, apart


def _survives_jsonb(value: object) -> bool:
    """Whether a plain value comes out of jsonb as it went in. LangGraph's own saver puts every plain value there, and
    fails with NUL, half a surrogate pair or NaN in it; -0.0 and 1e22 would come back as 0.0 and as an integer."""
    match value:
        case None | bool() | int():
            return True
        case float():
            return math.isfinite(value) and "e" not in repr(value) and repr(value) != "-0.0"
        case str():
            return "\0" not in value and storable_text(value) == value
    return False


def is_light(value: object) -> bool:
    """Whether `value` is small enough to be serialised on the event loop; looks at no more than it takes to say no."""
    left = LIGHT
    waiting = [value]
    while waiting and left > 0:
        item = waiting.pop()
        left -= 1
        match item:
            case str() | bytes() | bytearray():
                left -= len(item)
            case dict():
                left -= len(item)
                waiting += item.values() if left > 0 else ()
            case list() | tuple() | set() | frozenset():
                left -= len(item)
                waiting += item if left > 0 else ()
            case None | bool() | int() | float():
                pass
            case _:
                left -= int(getattr(item, "nbytes", 0))
                waiting += getattr(item, "__dict__", {}).values()
    return left > 0


def storable_metadata(value: Any) -> Any:
    """Texts without what Postgres refuses; what is no JSON is left for the encoder to tell of."""
    match value:
        case str():
            return storable_text(value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {storable_metadata(key): storable_metadata(inner) for key, inner in value.items()}
        case list() | tuple():
            return [storable_metadata(inner) for inner in value]
    return value


def placed_metadata(config: RunnableConfig) -> dict[str, Any]:
    """What LangGraph leaves out of a checkpoint's metadata and clients of the Agent Server see there.

    Objects and lists of the run's metadata; in a subgraph also where in the graph it stands.
    """
    settings: Mapping[str, Any] = config.get("configurable") or {}
    given: Mapping[str, Any] = config.get("metadata") or {}
    places: dict[str, Any] = {name: settings[name] for name in ("checkpoint_ns", "checkpoint_map") if name in settings}
    within = bool(settings.get("checkpoint_ns"))
    wanted = {**given, **places} if within else _without_places(given)
    return {name: value for name, value in wanted.items() if not name.startswith("__") and _is_json(value)}


def _without_places(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in EXCLUDED_METADATA_KEYS}


def _is_json(value: Any) -> bool:
    """An object of the user's own is none, and nothing that a reader of metadata could use."""
    if value is None or isinstance(value, str | int | float):
        return True
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
