"""A request's JSON: read within bounds, held against its schema, never interpreted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import jsonschema_rs
import orjson
from fastapi import HTTPException, Request

from server.guard import LISTED_ORIGIN
from state.errors import BadRequest, Malformed

MAX_DEPTH = 200
"""Levels of nesting. The encoder of answers ends at 254, and a body is answered inside of lists, states and events."""


def json_body(schema: Mapping[str, Any]) -> Callable[[Request], Awaitable[Any]]:
    """A dependency that gives the parsed body.

    Raises HTTPException (415), Malformed (too deep), BadRequest (no JSON, or not as `schema` says). The messages are
    those of jsonschema-rs, as the reference server prints them.
    """
    validator = jsonschema_rs.validator_for(dict(schema))

    async def body(request: Request) -> Any:
        media_type = request.headers.get("content-type")
        if not is_json(media_type, browser="origin" in request.headers, listed=LISTED_ORIGIN in request.scope):
            raise HTTPException(
                415, f"Content-Type '{(media_type or '')[:100]}' is not accepted; send application/json"
            )
        raw = await request.body()
        return without_nul(held_against(validator, parse(raw)), raw)

    return body


def held_against(validator: jsonschema_rs.Validator, value: Any) -> Any:
    """`value`, which is as the schema says. Raises BadRequest in the reference's words."""
    if validator.is_valid(value):
        return value
    try:
        # It sorts what it reads: of several mistakes it tells the first by name, and it prints objects sorted.
        validator.validate(_sorted(value))
    except jsonschema_rs.ValidationError as error:
        raise BadRequest(_told(error)) from None
    return value


def _sorted(value: Any) -> Any:
    match value:
        case dict():
            return {name: _sorted(value[name]) for name in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
    return value


def _told(error: jsonschema_rs.ValidationError) -> str:
    """In the reference's words. Its jsonschema-rs, 0.44, lists alternative types by name, later ones do not."""
    what, of_types, types = str(error.message).rpartition(" is not of types ")
    if not of_types:
        return str(error)
    return str(error).replace(error.message, f"{what}{of_types}{', '.join(sorted(types.split(', ')))}", 1)


def is_json(content_type: str | None, *, browser: bool, listed: bool) -> bool:
    """Whether a body of this content type is read as JSON.

    `browser`: the request has an Origin. `listed`: it is one that the operator named. Studio labels its JSON
    text/plain, which any page may send without asking first; programs may leave the label out.
    """
    if content_type is None:
        return listed or not browser
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "text/plain":
        return listed
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def parse(raw: bytes) -> Any:
    """JSON out of a body: what the encoder can write again. Raises Malformed: nested deeper than MAX_DEPTH.

    Raises BadRequest: no JSON, which NaN, infinity and halves of surrogate pairs are not.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("Invalid JSON in request body") from None
    # Most bodies are not walked at all: they are too short, or have too few brackets even with those inside of texts.
    if len(raw) > 2 * MAX_DEPTH and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise Malformed("Recursion limit reached")
    return value


def without_nul(value: Any, raw: bytes) -> Any:
    """What Postgres can hold: NUL characters become U+FFFD, as on the reference server. `raw`: where `value` stood."""
    # The first question costs a sixtieth of the second, and is answered with no by most bodies.
    return _without_nul(value) if b"\\" in raw and b"\\u0000" in raw else value


def _is_deeper(value: object, bound: int) -> bool:
    level = [value]
    for _ in range(bound + 1):
        nested = [item for item in level if isinstance(item, dict | list)]
        if not nested:
            return False
        level = [inner for item in nested for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _without_nul(value: Any) -> Any:
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case dict():
            return {_without_nul(key): _without_nul(inner) for key, inner in value.items()}
        case list():
            return [_without_nul(inner) for inner in value]
    return value
