"""JSON schemas as models are held to them."""

from typing import Any

import pytest

from llm.grammar.schemas import nest, prepare

A = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**A, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        (A, CLOSED),
        ({"type": "object"}, {"type": "object"}),
        ({**A, "additionalProperties": {}}, {**A, "additionalProperties": {}}),
        ({**A, "patternProperties": {"x": {}}}, {**A, "patternProperties": {"x": {}}}),
        ({**A, "required": ["b"]}, {**A, "required": ["b"]}),
        ({"type": "array", "items": A}, {"type": "array", "items": CLOSED}),
        ({"anyOf": [A, {"type": "null"}]}, {"anyOf": [CLOSED, {"type": "null"}]}),
        ({"$ref": "#/$defs/A", "$defs": {"A": A}}, {"$ref": "#/$defs/A", "$defs": {"A": CLOSED}}),
        (
            {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": A}},
            {"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": CLOSED}},
        ),
        ({"allOf": [A, A]}, {"allOf": [A, A]}),
        ({"properties": {"x": A}, "$ref": "#/y"}, {"properties": {"x": A}, "$ref": "#/y"}),
        ({"const": A, "enum": [A], "default": A}, {"const": A, "enum": [A], "default": A}),
        ({"type": "string", "format": "password"}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "object", "properties": {"format": {"enum": ["x"]}}, "additionalProperties": False},) * 2,
    ],
)
def test_objects_are_closed_where_nothing_else_adds_to_them(schema: dict[str, Any], made: dict[str, Any]) -> None:
    assert prepare(schema) == made


def test_references_follow_a_schema_into_another() -> None:
    schema = {
        "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#"}, "c": {"const": {"$ref": "#/x"}}},
        "$defs": {"A": A},
    }
    assert nest(schema, "/properties/args") == {
        "properties": {
            "a": {"$ref": "#/properties/args/$defs/A"},
            "b": {"$ref": "#/properties/args"},
            "c": {"const": {"$ref": "#/x"}},
        },
        "$defs": {"A": A},
    }
