"""Channels and reducers that refuse what is not of their type, so that no update leaves a thread unreadable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from langgraph.channels.last_value import LastValue
from langgraph.errors import InvalidUpdateError
from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class Typed(LastValue[Any]):
    """The last value, of the type that it is annotated with: `Annotated[str, Typed]`.

    LangGraph holds a state against its schema only when a node reads it: a client's `{"query": 5}` would be kept, and
    every later run of the thread, and every look at it, would fail. Plain JSON of a model becomes the model.
    """

    def update(self, values: Sequence[Any]) -> bool:
        """Raises InvalidUpdateError for a value of another type; the channel is as it was."""
        return super().update([as_typed(self.key, self.typ, value) for value in values])


@cache  # two schemas of a graph that have one channel must have one reducer
def appended(item: type[T]) -> Callable[[list[T], Any], list[T]]:
    """A reducer: the list with the new items after it; None empties it.

    Raises InvalidUpdateError for what is no list of these.
    """

    def append(kept: list[T], new: Any) -> list[T]:
        if new is None:
            return []
        return [*kept, *as_typed(f"list[{item.__name__}]", list[item], new)]  # type: ignore[valid-type]

    return append


def as_typed(name: str, wanted: Any, value: Any) -> Any:
    """`value` as the type says. Raises InvalidUpdateError, whose message begins with `name`."""
    try:
        return _adapter(wanted).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (name, *first["loc"]))
        raise InvalidUpdateError(f"{where}: {first['msg']}") from error


@cache
def _adapter(wanted: Any) -> TypeAdapter[Any]:
    return TypeAdapter(wanted)  # a millisecond for a model
