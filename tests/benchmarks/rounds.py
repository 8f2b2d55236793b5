"""Measuring in turn and printing what came out: contestants, rounds, medians, marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

T = TypeVar("T")


def in_turn(contestants: Mapping[str, Callable[[int], T]], rounds: int) -> dict[str, list[T]]:
    """Each contestant once a round, so that a machine that slows down slows all of them; results by name.

    A contestant is told the round's number. The order turns by one from round to round: who follows whom changes, too.
    """
    results: dict[str, list[T]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        at = number % len(names)
        for name in names[at:] + names[:at]:
            results[name].append(contestants[name](number))
    return results


def ratio(mine: list[float], reference: list[float]) -> float:
    """The median of each round's own ratio: a machine that drifts from round to round leaves it alone."""
    return median(one / other for one, other in zip(mine, reference, strict=True))


@dataclass(frozen=True)
class Mark:
    """A figure and what it should be: at `least` or at `most` the target."""

    what: str
    value: float
    kind: Literal["least", "most"]
    target: float
    unit: str = "×"

    @property
    def reached(self) -> bool:
        return self.value >= self.target if self.kind == "least" else self.value <= self.target


def print_marks(marks: list[Mark]) -> None:
    """The table that every benchmark ends with. Short of a mark is a finding, never a failure of the run."""
    rows = [("", "measured", "mark", "")]
    for mark in marks:
        sign = "≥" if mark.kind == "least" else "≤"
        rows.append(
            (mark.what, _figure(mark.value, mark.unit), f"{sign} {_figure(mark.target, mark.unit)}", _verdict(mark))
        )
    print()
    print_table(rows)


def _verdict(mark: Mark) -> str:
    return "ok" if mark.reached else "short"


def _figure(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}".strip()


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows of texts under each other, the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in list(zip(row, widths, strict=True))[1:]),
        ]
        print("  ".join(cells).rstrip())
