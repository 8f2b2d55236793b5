"""Bodies that pydantic describes: read within the same bounds as all others, every mistake told with its field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

from server.guard import LISTED_ORIGIN
from server.wire.body import is_json, parse, without_nul
from state.errors import BadRequest

MAX_TOLD = 20
"""Mistakes told of one body."""

Shape = TypeVar("Shape", bound=BaseModel)


def body_of(shape: type[Shape], *, optional: bool = False) -> Callable[[Request], Awaitable[Shape]]:
    """A dependency that gives the body as `shape`; with `optional` an empty body is one without fields.

    Raises HTTPException (415), Malformed (too deep), BadRequest: no JSON, or not of this shape.
    """

    async def body(request: Request) -> Shape:
        raw = await request.body()
        if optional and not raw:
            return shaped(shape, {})
        return shaped(shape, await json_of(request))

    return body


async def json_of(request: Request, *also: str) -> Any:
    """The JSON of a request, as Postgres can hold it; `also`: other content types that the route takes.

    Raises HTTPException (415), Malformed, BadRequest.
    """
    media_type = request.headers.get("content-type")
    if not is_json(media_type, browser="origin" in request.headers, listed=LISTED_ORIGIN in request.scope):
        accepted = " or ".join(("application/json", *also))
        raise HTTPException(415, f"Content-Type '{(media_type or '')[:100]}' is not accepted; send {accepted}")
    raw = await request.body()
    return without_nul(parse(raw), raw)


def shaped(shape: type[Shape], value: Any) -> Shape:
    """`value` as `shape`. Raises BadRequest with each field that is wrong."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise BadRequest(mistakes(error, shape.model_fields)) from None


def mistakes(error: ValidationError, known: Collection[str] = ()) -> str:
    """`agents.0.agent_id: it is missing; …`, on one line. `known`: what an unknown key could have been."""
    told = [_mistake(wrong, known) for wrong in error.errors(include_url=False)[:MAX_TOLD]]
    more = error.error_count() - len(told)
    return "; ".join([*told, f"and {more} more"] if more > 0 else told)


def described(shape: type[BaseModel], *more: str, required: bool = True) -> dict[str, Any]:
    """A route's `openapi_extra` that lists its body; `more`: media types other than JSON in which it may come."""
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    body = {**schema, "components": {"schemas": parts}} if parts else schema
    content = {"application/json": {"schema": body}, **{name: {"schema": {"type": "string"}} for name in more}}
    return {"requestBody": {"required": required, "content": content}}


def _mistake(wrong: Any, known: Collection[str]) -> str:
    where = ".".join(str(part) for part in wrong["loc"]) or "body"
    if wrong["type"] == "extra_forbidden":
        names = f"; known are: {', '.join(known)}" if len(wrong["loc"]) == 1 and known else ""
        return f"{where[:200]}: this key is not known{names}"
    return f"{where[:200]}: {wrong['msg'].removeprefix('Value error, ')}"
