"""What /openapi.json says of a route's answers: the `responses` of its decorator. Errors are added by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.streaming.sse import EVENT_STREAM
from server.wire.shapes.building import COUNT, TEXT, Schema, ref

Responses = dict[int | str, dict[str, Any]]

PAGED: Mapping[str, Any] = {
    "X-Pagination-Total": {"description": "how many there are", "required": True, "schema": COUNT},
    "X-Pagination-Next": {"description": "offset of the next page, where there is one", "schema": COUNT},
}
"""Headers of a page of a list."""
LOCATION: Mapping[str, Any] = {"Location": {"description": "where it is found", "required": True, "schema": TEXT}}
CONTENT_LOCATION: Mapping[str, Any] = {
    "Content-Location": {"description": "where the run is found", "required": True, "schema": TEXT}
}
LOCATIONS: Mapping[str, Any] = {
    "Location": {"description": "where to take a broken answer up again", "required": True, "schema": TEXT},
    **CONTENT_LOCATION,
}


def told(
    schema: Schema | str | None,
    *,
    status: int = 200,
    about: str = "Successful Response",
    headers: Mapping[str, Any] | None = None,
) -> Responses:
    """JSON of a schema, or of the shape of that name; None: no body."""
    answer: dict[str, Any] = {"description": about}
    if schema is not None:
        answer["content"] = {"application/json": {"schema": ref(schema) if isinstance(schema, str) else schema}}
    if headers is not None:
        answer["headers"] = headers
    return {status: answer}


def events(example: str, *, about: str = "Server-sent events", headers: Mapping[str, Any] | None = None) -> Responses:
    """A stream, such as `example`. A comment comes every few seconds while nothing happens."""
    # `itemSchema` is OpenAPI 3.2's word, which FastAPI uses as well; older readers pass it over.
    content = {EVENT_STREAM: {"itemSchema": ref("Event"), "example": example}}
    return {200: {"description": about, "content": content, **({"headers": headers} if headers else {})}}
