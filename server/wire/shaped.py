"""Bodies that pydantic describes: read within the same bounds as all others, every mistake told with its field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError

from server.guard import LISTED_ORIGIN
from server.wire.body import is_json, parse, without_nul
from server.wire.mistakes import MAX_TOLD, Invalid, Mistake, where

Shape = TypeVar("Shape", bound=BaseModel)


def body_of(shape: type[Shape], *, optional: bool = False) -> Callable[[Request], Awaitable[Shape]]:
    """A dependency that gives the body as `shape`; with `optional` an empty body is one without fields.

    Raises HTTPException (415), Malformed (too deep), BadRequest: no JSON; Invalid: not of this shape.
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
    value = parse(raw)
    return without_nul(value, raw)


def shaped(shape: type[Shape], value: Any) -> Shape:
    """`value` as `shape`. Raises Invalid with each field that is wrong."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise Invalid(*_told(error, shape.model_fields)) from None


def mistakes(error: ValidationError, known: Collection[str] = ()) -> str:
    """`agents.0.agent_id: it is missing; …`, on one line. `known`: what an unknown key could have been."""
    return str(Invalid(*_told(error, known)))


def described(
    shape: type[BaseModel],
    example: Mapping[str, Any] | None = None,
    *,
    more: Mapping[str, str] | None = None,
    required: bool = True,
) -> dict[str, Any]:
    """A route's `openapi_extra` that lists its body, with an example where the shape has none of its own.

    `more`: media types other than JSON in which it may come, an example each.
    """
    schema = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    body = {**schema, "components": {"schemas": parts}} if parts else schema
    content = {"application/json": {"schema": {**body, "examples": [example]} if example else body}}
    others = {name: {"schema": {"type": "string"}, "example": text} for name, text in (more or {}).items()}
    return {"requestBody": {"required": required, "content": {**content, **others}}}


def _told(error: ValidationError, known: Collection[str]) -> tuple[list[Mistake], int]:
    """The first mistakes, and how many more there are."""
    told = [_mistake(wrong, known) for wrong in error.errors(include_url=False)[:MAX_TOLD]]
    return told, error.error_count() - len(told)


def _mistake(wrong: Any, known: Collection[str]) -> Mistake:
    if wrong["type"] != "extra_forbidden":
        return Mistake(where(wrong["loc"]), wrong["msg"].removeprefix("Value error, "))
    names = f"; known are: {', '.join(known)}" if len(wrong["loc"]) == 1 and known else ""
    return Mistake(where(wrong["loc"]), f"this key is not known{names}")
