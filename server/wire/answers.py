"""JSON answers of the Agent Server's routes, whole and in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Response

from server.wire.values import encode

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for. Ask the database for `limit + 1` rows: one more says that there are more."""

    limit: int
    offset: int

    def shown(self, found: Sequence[_Row]) -> Sequence[_Row]:
        """The rows of this page, out of one more."""
        return found[: self.limit]

    def headers(self, found: Sequence[object]) -> dict[str, str]:
        """Counted as far as this page looked, like the reference: the next page's first row counts, later ones not."""
        told = {"X-Pagination-Total": str(self.offset + len(found))}
        if len(found) > self.limit:
            told["X-Pagination-Next"] = str(self.offset + self.limit)
        return told


def page_of(body: dict[str, Any], *, limit: int = 10) -> Page:
    """Out of a checked body. JSON Schema takes 2.0 for an integer, so floats come here too."""
    return Page(int(body.get("limit", limit)), int(body.get("offset", 0)))


def answer(value: object, headers: dict[str, str] | None = None, *, status: int = 200) -> Response:
    """`value` as JSON."""
    return Response(encode(value), status, media_type="application/json", headers=headers)
