"""The words in which shapes are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
BYTES: Schema = {"type": "integer", "minimum": 0, "description": "bytes"}
FLAG: Schema = {"type": "boolean"}
ID: Schema = {"type": "string", "format": "uuid"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "array", "items": TEXT}

AN_ID = "018f6e5c-3b2a-7c4d-8e9f-0a1b2c3d4e5f"
"""In examples."""
A_MOMENT = "2026-01-31T09:30:00.000000+00:00"


def shape(about: str, fields: Mapping[str, Schema], *, optional: Collection[str] = (), example: Any = None) -> Schema:
    """An object that has these fields, all of them but those of `optional`."""
    required = [name for name in fields if name not in optional]
    made = {"type": "object", "description": about, "properties": fields, "required": required}
    return made if example is None else {**made, "examples": [example]}


def selected(whole: Schema, about: str) -> Schema:
    """The same where a client may have named the fields it wants."""
    return {**{key: value for key, value in whole.items() if key not in ("required", "examples")}, "description": about}


def ref(name: str) -> Schema:
    """The shape of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(items: Schema | str) -> Schema:
    return {"type": "array", "items": ref(items) if isinstance(items, str) else items}


def by_key(values: Schema | str) -> Schema:
    return {"type": "object", "additionalProperties": ref(values) if isinstance(values, str) else values}


def maybe(schema: Schema) -> Schema:
    """That, or null."""
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def anything(about: str) -> Schema:
    """Any JSON."""
    return {"description": about}


def word(*words: str, about: str = "") -> Schema:
    """One of these."""
    chosen: Schema = {"type": "string", "enum": [*words]}
    return {**chosen, "description": about} if about else chosen
