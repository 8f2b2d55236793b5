"""JSON schemas as models are held to them. Pure.

What is made here allows less than the schema it is made from, or the same: what a model writes is valid under both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FORMATS = frozenset(
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "unknown"]
)
"""Values of `format` that llguidance can keep a string to. The specification makes all of them notes, not rules."""

_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames")
_JOINED = ("allOf", "anyOf", "oneOf", "$ref", "if")


def prepare(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its objects closed and without formats that are notes alone. Raises RecursionError for depth.

    Objects that name their properties and say nothing of others get no others: a small model that may invent keys
    does, until its tokens are spent.
    """
    made = _rewrite(schema, _without_unknown_format)
    return made if _joins_several(made) else _rewrite(made, _closed)


def nest(schema: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The schema with its references rewritten for a document that holds it at `place`, a JSON pointer."""

    def moved(each: dict[str, Any]) -> dict[str, Any]:
        ref = each.get("$ref")
        return {**each, "$ref": f"#{place}{ref[1:]}"} if isinstance(ref, str) and ref.startswith("#") else each

    return _rewrite(schema, moved)


def _rewrite(schema: Mapping[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    """`change` applied to each schema inside, innermost first; data in `const`, `enum` or `default` stays as it is."""
    made = dict(schema)
    for key, value in schema.items():
        if key in _MAPS and isinstance(value, Mapping):
            made[key] = {name: _sub(each, change) for name, each in value.items()}
        elif key in _LISTS and isinstance(value, list):
            made[key] = [_sub(each, change) for each in value]
        elif key in _SINGLE:
            made[key] = [_sub(each, change) for each in value] if isinstance(value, list) else _sub(value, change)
    return change(made)


def _sub(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return _rewrite(schema, change) if isinstance(schema, Mapping) else schema


def _without_unknown_format(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("format"), str) and schema["format"] not in FORMATS:
        return {key: value for key, value in schema.items() if key != "format"}
    return schema


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """An open object, unless another schema has a say in its properties."""
    if not isinstance(schema.get("properties"), Mapping) or any(key in schema for key in _JOINED):
        return schema
    if "additionalProperties" in schema or "patternProperties" in schema or "unevaluatedProperties" in schema:
        return schema
    required = schema.get("required")
    if isinstance(required, list) and any(name not in schema["properties"] for name in required):
        return schema
    return {**schema, "additionalProperties": False}


def _joins_several(schema: Mapping[str, Any]) -> bool:
    """Whether objects are put together of several somewhere: closing one of those would shut out the others' keys."""
    found = False

    def look(each: dict[str, Any]) -> dict[str, Any]:
        nonlocal found
        parts = each.get("allOf")
        found = found or (isinstance(parts, list) and len(parts) > 1)
        found = found or ("properties" in each and any(key in each for key in _JOINED))
        return each

    _rewrite(schema, look)
    return found
