"""Which classes the annotations of a state reach."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypeVar,
    Union,
)

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from server.application.allowed_types import reachable_types, types_in

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Color(Enum):
    RED = 1


class Point(NamedTuple):
    color: Color


@dataclass
class Line:
    points: list[Point]
    next: Line | None = None


class Page(BaseModel):
    lines: dict[str, Line]
    parent: Optional[Page] = None  # noqa: UP045


class Inner(TypedDict):
    page: NotRequired[Page]


class State(TypedDict):
    inner: Annotated[list[Inner], operator.add]
    kind: Literal["a"]


T = TypeVar("T", bound=Page)


@dataclass
class Box(Generic[T]):
    held: T


@dataclass
class HalfKnown:
    page: Page
    other: Unknown


class Plain:
    page: Page


PageId = NewType("PageId", str)
ALL = {Page, Line, Point, Color}


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (Color, {Color}),
        (Point, {Point, Color}),
        (Line, {Line, Point, Color}),
        (Page, ALL),
        (State, ALL),
        (Page | None, ALL),
        (Union[int, Page], ALL),  # noqa: UP007
        (Annotated[Page, "note"], ALL),
        (Sequence[Page], ALL),
        (Mapping[str, tuple[Page, ...]], ALL),
        (Box[Page], ALL | {Box}),
        (Box, ALL | {Box}),
        (HalfKnown, ALL | {HalfKnown}),
        (NewType("Own", Page), ALL),
        (T, ALL),
        (PageId, set()),
        (Plain, set()),
        (Literal["a", 1], set()),
        (Any, set()),
        (None, set()),
        (int, set()),
        ("not an annotation", set()),
    ],
)
def test_what_an_annotation_reaches(annotation: object, found: set[type]) -> None:
    assert reachable_types([annotation]) == found


def test_a_module_s_own_classes_with_fields_are_its_types() -> None:
    module = ModuleType(__name__)
    vars(module).update(Page=Page, Color=Color, Plain=Plain, BaseModel=BaseModel, number=5)
    assert types_in([module]) == {Page, Color}
