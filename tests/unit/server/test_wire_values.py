"""Any value as JSON: what the reference prints, and what must never fail."""

from __future__ import annotations

import dataclasses
import json
import math
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.types import Interrupt, Overwrite, Send
from pydantic import BaseModel, SecretStr

from server.wire.values import encode, plain


class Pair(NamedTuple):
    left: int
    right: str


@dataclasses.dataclass
class Point:
    x: Any


class Model(BaseModel):
    name: str
    secret: SecretStr = SecretStr("hush")


class Breaks:
    def dict(self) -> dict[str, Any]:
        raise RuntimeError("no")


CONSTRUCTOR = {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}}


class Never(Exception):
    """An application's own."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"abc", "YWJj"),
        (Decimal("1.50"), 1.5),
        (Decimal(2), 2),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (Pair(1, "b"), {"left": 1, "right": "b"}),
        (Point({2}), {"x": [2]}),
        (Model(name="m"), {"name": "m", "secret": None}),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.float32(1.5), 1.5),
        (np.array(["text"]), None),
        (Send("n", {"a": 1}), {"node": "n", "args": {"a": 1}}),
        (Interrupt(value=1, id="i"), {"value": 1, "id": "i", "response_schema": None}),
        (Overwrite([1]), {"value": [1], "type": "__overwrite__"}),
        (ValueError("bad"), {"error": "ValueError", "message": "bad"}),
        (Never("bad"), {"error": "Never", "message": "An internal error occurred"}),
        (math.nan, None),
        (Breaks(), None),
        (object(), None),
        (
            {"lc": 1, "type": "constructor", "id": ["os", "system"]},
            {"lc": 1, "type": "constructor", "id": ["os", "system"]},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_becomes_data(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", b'"a?b"'),
        ({"\udfff": "\ud800"}, b'{"?":"?"}'),
        (Point("\ud800"), b'{"x":"?"}'),
        (Pair(2**70, "\ud800"), b'{"left":1.1805916207174113e+21,"right":"?"}'),
        (2**5000, b"null"),
        ({(1, 2): 3}, b'{"(1, 2)":3}'),
        ({1: {None: 2**64}}, b'{"1":{"null":1.8446744073709552e+19}}'),
        ([HumanMessage("\ud800")], None),
        ({"e": ValueError("\ud800")}, b'{"e":{"error":"ValueError","message":"?"}}'),
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_replaced_and_nothing_else_is_lost(value: object, expected: bytes | None) -> None:
    told = encode(value)
    json.loads(told)
    assert expected is None or told == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\0b", r'"a\ufffdb"'),
        ("\0", r'"\ufffd"'),
        ("\\\0", r'"\\\ufffd"'),
        (r"\u0000", r'"\\u0000"'),
        ("\\\\" + r"\u0000", r'"\\\\\\u0000"'),
        ("\0\0", r'"\ufffd\ufffd"'),
    ],
    ids=repr,
)
def test_nul_is_replaced_and_its_spelling_is_not(text: str, expected: str) -> None:
    assert encode(text).decode() == expected


def test_a_value_that_holds_itself_ends() -> None:
    endless: list[Any] = [1]
    endless += [endless, endless]
    assert plain({"a": endless})["a"][0] == 1


def test_a_deep_value_ends() -> None:
    deep: Any = "end"
    for _ in range(5000):
        deep = [deep]
    assert encode(deep).startswith(b"[[[")


def test_keys_of_a_chunk_are_in_the_models_order() -> None:
    assert list(plain(AIMessageChunk(content="x", id="i"))) == [
        *("content", "additional_kwargs", "response_metadata", "type", "name", "id", "tool_calls"),
        *("invalid_tool_calls", "usage_metadata", "tool_call_chunks", "chunk_position"),
    ]


def test_the_json_is_one_line() -> None:
    assert b"\n" not in encode({"text": "one\ntwo\u2028three"})
