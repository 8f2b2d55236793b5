"""What is wrong with a request, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from state.errors import BadRequest

MAX_TOLD = 20
"""Mistakes told of one request."""
MAX_FIELD_CHARS = 200
"""Of a field's path: keys are the client's."""


@dataclass(frozen=True)
class Mistake:
    """One of them. `field`: its path, such as `agents.0.agent_id`; what concerns the whole body says `body`."""

    field: str
    message: str

    @classmethod
    def of(cls, location: Sequence[int | str], message: str) -> Self:
        """As pydantic and FastAPI tell it: of what is in the body, the path within it."""
        return cls(
            where(location[1:] if location[:1] == ("body",) else location), message.removeprefix("Value error, ")
        )

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Invalid(BadRequest):
    """A body that is not of its shape; the message names every mistake, on one line."""

    def __init__(self, mistakes: Sequence[Mistake], more: int = 0) -> None:
        """`more`: how many there are beside those."""
        told = [str(mistake) for mistake in mistakes]
        super().__init__("; ".join([*told, f"and {more} more"] if more > 0 else told))
        self.mistakes = tuple(mistakes)


def where(location: Sequence[int | str]) -> str:
    """A field's path within its body."""
    return (".".join(str(part) for part in location) or "body")[:MAX_FIELD_CHARS]
