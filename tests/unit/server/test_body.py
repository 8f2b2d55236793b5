"""A request's JSON: what is read, what is refused, what becomes of odd values."""

import json
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from server.errors import install_error_handlers
from server.guard import Cors, install_guard
from server.wire.body import MAX_DEPTH, is_json, json_body, parse, without_nul
from server.wire.values import encode
from state.errors import BadRequest, Malformed


def nested(depth: int, opening: str = '{"a":', closing: str = "}", inside: str = "1") -> bytes:
    return (opening * depth + inside + closing * depth).encode()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b"null", None),
        (b'"x"', "x"),
        (b" [1, 2.5, -3e2] ", [1, 2.5, -300.0]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": 99999999999999999999999}', {"a": 1e23}),
        (b'{"a": 18446744073709551615}', {"a": 2**64 - 1}),
        (b'{"a": -9223372036854775808}', {"a": -(2**63)}),
        (rb'{"a": "x\u0000y", "b\u0000": ["\u0000"]}', {"a": "x\ufffdy", "b\ufffd": ["\ufffd"]}),
        (rb'{"a": "\\u0000"}', {"a": r"\u0000"}),
        (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
        (b'{"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}}',
         {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {}}),
        (nested(MAX_DEPTH), json.loads(nested(MAX_DEPTH))),
        (nested(MAX_DEPTH, "[", "]", ""), json.loads(nested(MAX_DEPTH, "[", "]", ""))),
        (b'["' + b"[" * 5_000 + b'"]', ["[" * 5_000]),
        (b"[" + b"{}," * 100_000 + b"{}]", [{}] * 100_001),
    ],
)  # fmt: skip
def test_json_is_read_as_plain_data_that_can_be_written_again(raw: bytes, value: Any) -> None:
    read = without_nul(parse(raw), raw)
    assert read == value
    assert json.loads(encode(read)) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{bad",
        b"{} x",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        rb'{"a": "\ud800"}',
        rb'{"a": "\udc00\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        "{}".encode("utf-16"),
        b'{"a": "\x00"}',
        b"{'a': 1}",
        b'{"a": 01}',
        b"[1,]",
        nested(1_100),
    ],
)
def test_what_is_no_json_is_refused_in_the_references_words(raw: bytes) -> None:
    with pytest.raises(BadRequest, match=r"^Invalid JSON in request body$") as refused:
        parse(raw)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "raw", [nested(MAX_DEPTH + 1), nested(900), nested(900, "[", "]"), nested(450, '[{"a":', "}]")]
)
def test_what_is_nested_too_deep_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed, match=r"^Recursion limit reached$") as refused:
        parse(raw)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("content_type", "browser", "listed", "read"),
    [
        ("application/json", True, False, True),
        ("application/json; charset=utf-8", False, False, True),
        ("Application/JSON", False, False, True),
        ("application/merge-patch+json", False, False, True),
        (None, False, False, True),
        (None, True, False, False),
        (None, True, True, True),
        ("text/plain", False, False, False),
        ("text/plain;charset=UTF-8", True, False, False),
        ("text/plain;charset=UTF-8", True, True, True),
        ("application/x-www-form-urlencoded", False, False, False),
        ("application/x-www-form-urlencoded", True, True, False),
        ("multipart/form-data; boundary=x", True, True, False),
        ("text/json", False, False, False),
        ("application/jsonp", False, False, False),
        ("text/html+json", False, False, False),
        ("", False, False, False),
    ],
)
def test_content_types(content_type: str | None, browser: bool, listed: bool, read: bool) -> None:
    assert is_json(content_type, browser=browser, listed=listed) is read


SCHEMA = {"type": "object", "properties": {"limit": {"type": "integer", "minimum": 1, "maximum": 1000}}}


def application() -> httpx.AsyncClient:
    app = FastAPI()
    install_error_handlers(app)
    install_guard(app, Cors(("https://studio.example",)), 1_000)

    @app.post("/threads/search")
    async def search(body: Annotated[Any, Depends(json_body(SCHEMA))]) -> Any:
        return body

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"[]", '[] is not of type "object"\n\nFailed validating "type" in schema\n\nOn instance:\n    []'),
        (
            b'{"limit": 0}',
            '0 is less than the minimum of 1\n\nFailed validating "minimum" in schema["properties"]["limit"]\n\n'
            'On instance["limit"]:\n    0',
        ),
        (
            b'{"limit": 99999999999999999999}',
            "1e+20 is greater than the maximum of 1000\n\n"
            'Failed validating "maximum" in schema["properties"]["limit"]\n\nOn instance["limit"]:\n    1e+20',
        ),
        (
            rb'{"limit": "\u0000"}',
            '"\\u0000" is not of type "integer"\n\nFailed validating "type" in schema["properties"]["limit"]\n\n'
            'On instance["limit"]:\n    "\\u0000"',
        ),
        (b"", "Invalid JSON in request body"),
    ],
)
async def test_a_body_that_breaks_its_schema_is_told_in_the_references_words(raw: bytes, detail: str) -> None:
    async with application() as client:
        response = await client.post("/threads/search", content=raw, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (422, {"detail": detail})


async def test_a_body_is_given_without_nul() -> None:
    async with application() as client:
        raw, headers = rb'{"a": "x\u0000", "b\u0000": 1}', {"content-type": "application/json"}
        response = await client.post("/threads/search", content=raw, headers=headers)
    assert response.json() == {"a": "x\ufffd", "b\ufffd": 1}


async def test_text_plain_is_read_from_a_named_origin_and_refused_to_programs() -> None:
    async with application() as client:
        headers = {"content-type": "text/plain;charset=UTF-8"}
        refused = await client.post("/threads/search", content=b"{}", headers=headers)
        assert refused.status_code == 415
        assert refused.json() == {
            "detail": "Content-Type 'text/plain;charset=UTF-8' is not accepted; send application/json"
        }
        headers["origin"] = "https://studio.example"
        assert (await client.post("/threads/search", content=b'{"limit": 5}', headers=headers)).json() == {"limit": 5}
