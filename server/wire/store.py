"""The store's requests, in the structure of the reference server's OpenAPI, and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.store.base import Item

MAX_LISTED = 100_000
"""Rows of one answer."""
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_OFFSET: Mapping[str, Any] = {"type": "integer", "default": 0, "minimum": 0, "maximum": 2**31 - 1}

PUT: Mapping[str, Any] = {
    "type": "object",
    "title": "StorePutRequest",
    "examples": [{"namespace": ["memories", "ana"], "key": "language", "value": {"speaks": "Spanish"}}],
    "required": ["namespace", "key", "value"],
    "properties": {
        "namespace": _TEXTS,
        "key": {"type": "string"},
        "value": {"type": "object"},
        "index": {
            "oneOf": [{"type": "boolean", "enum": [False]}, _TEXTS, {"type": "null"}],
            "default": None,
            "description": "null: the fields of the configuration; false: none; paths: these.",
        },
        "ttl": {
            "type": ["number", "null"],
            "default": None,
            "description": "Minutes to live; null: for ever; left out: as the configuration says.",
        },
    },
}

DELETE: Mapping[str, Any] = {
    "type": "object",
    "title": "StoreDeleteRequest",
    "examples": [{"namespace": ["memories", "ana"], "key": "language"}],
    "required": ["key"],
    "properties": {"namespace": _TEXTS, "key": {"type": "string"}},
}

SEARCH: Mapping[str, Any] = {
    "type": "object",
    "title": "StoreSearchRequest",
    "examples": [{"namespace_prefix": ["memories"], "filter": {"speaks": "Spanish"}, "limit": 10}],
    "properties": {
        "namespace_prefix": {"type": ["array", "null"], "items": {"type": "string"}},
        "filter": {
            "type": ["object", "null"],
            "additionalProperties": True,
            "description": "Values by key; $eq, $ne, $gt, $gte, $lt, $lte compare.",
        },
        "limit": {"type": "integer", "default": 10, "minimum": 0, "maximum": MAX_LISTED},
        "offset": _OFFSET,
        "query": {"type": ["string", "null"], "description": "Items near to this in meaning come first."},
        "refresh_ttl": {"type": ["boolean", "null"], "default": None},
    },
}

NAMESPACES: Mapping[str, Any] = {
    "type": "object",
    "title": "StoreListNamespacesRequest",
    "examples": [{"prefix": ["memories"], "max_depth": 2}],
    "properties": {
        "prefix": _TEXTS,
        "suffix": _TEXTS,
        "max_depth": {"type": "integer"},
        "limit": {"type": "integer", "default": 100, "minimum": 0, "maximum": MAX_LISTED},
        "offset": _OFFSET,
    },
}


def item_shape(item: Item) -> dict[str, Any]:
    """Of a search with `score`, which is null without a query."""
    shape: dict[str, Any] = item.dict()
    return shape


def refused_label(*namespaces: Sequence[str] | None) -> str | None:
    """The reference server's words for the first label that cannot be one."""
    for label in (label for namespace in namespaces for label in namespace or ()):
        if not label or "." in label:
            return f"Namespace label {label!r} must be a non-empty string without periods"
    return None


def asked_namespace(query: str | None) -> tuple[str, ...]:
    """Labels of `?namespace=a.b`; nothing is one empty label, which is refused."""
    return tuple((query or "").split("."))
