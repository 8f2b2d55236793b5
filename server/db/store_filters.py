"""A filter of the store as SQL, with the meaning that LangGraph's in-memory store gives it.

Keys and operands are bound, always; only operators, from a table of six, become text. LangGraph's own Postgres store
compares numbers as text ("10" is less than "9") and does not look into objects, so this is ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

MAX_CONDITIONS = 500
"""Of one filter: Postgres takes 65,535 parameters a statement, and nobody writes a filter of that size by hand."""

_EQUAL = {"$eq": "=", "$ne": "<>"}
_ORDERED = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
# What is not there counts as null.
_AT = "coalesce(store.value #> %s::text[], 'null')"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_AS_NUMBER = (
    "CASE jsonb_typeof(store.value #> %s::text[])"
    " WHEN 'number' THEN (store.value #>> %s::text[])::numeric"
    " WHEN 'boolean' THEN (store.value #> %s::text[])::boolean::int::numeric"
    " WHEN 'string' THEN CASE WHEN store.value #>> %s::text[] ~ '" + _NUMBER + "'"
    " THEN (store.value #>> %s::text[])::numeric END END"
)
_AS_TEXT = "CASE WHEN jsonb_typeof(store.value #> %s::text[]) = 'string' THEN store.value #>> %s::text[] END"


class Condition(NamedTuple):
    """A piece of a WHERE clause over `store`, true for the items that pass, and its parameters."""

    sql: str
    values: list[Any]


def conditions(wanted: Mapping[str, Any], *, compare_texts: bool) -> list[Condition]:
    """All of which an item must pass.

    `compare_texts`: texts may be ordered against texts, such as ISO dates; where not, only numbers are, as the
    in-memory store does it. Raises ValueError, as stores do: an unknown operator, an operand that has no order.
    """
    found: list[Condition] = []
    for key, value in wanted.items():
        for condition in _at([key], value, compare_texts):
            found.append(condition)
            if len(found) > MAX_CONDITIONS:
                raise ValueError(f"the filter has more than {MAX_CONDITIONS} conditions")
    return found


def _at(path: Sequence[str], value: object, compare_texts: bool) -> Iterator[Condition]:
    match value:
        case dict() if any(key.startswith("$") for key in value):
            for operator, operand in value.items():
                yield _operator(path, operator, operand, compare_texts)
        case dict():
            yield Condition("jsonb_typeof(store.value #> %s::text[]) = 'object'", [list(path)])
            for key, inner in value.items():
                yield from _at([*path, key], inner, compare_texts)
        case list() | tuple() if any(isinstance(inner, dict) for inner in value):
            yield Condition(
                "CASE WHEN jsonb_typeof(store.value #> %s::text[]) = 'array'"
                " THEN jsonb_array_length(store.value #> %s::text[]) END = %s",
                [list(path), list(path), len(value)],
            )
            for index, inner in enumerate(value):
                yield from _at([*path, str(index)], inner, compare_texts)
        case _:
            yield Condition(f"{_AT} = %s::jsonb", [list(path), _json(value)])


def _operator(path: Sequence[str], operator: str, operand: object, compare_texts: bool) -> Condition:
    if operator in _EQUAL:
        return Condition(f"{_AT} {_EQUAL[operator]} %s::jsonb", [list(path), _json(operand)])
    if operator not in _ORDERED:
        raise ValueError(f"Unsupported operator: {operator}")
    try:
        # float() tells what it cannot take in the words that the reference server passes on.
        number = float(operand)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(str(error)) from None
    except ValueError:
        if not compare_texts:
            raise
        return Condition(f'({_AS_TEXT}) COLLATE "C" {_ORDERED[operator]} %s', [list(path), list(path), operand])
    if not math.isfinite(number):
        raise ValueError(f"could not convert string to float: {operand!r}")
    return Condition(f"({_AS_NUMBER}) {_ORDERED[operator]} %s::numeric", [*[list(path)] * 5, repr(number)])


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
