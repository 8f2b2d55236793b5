"""A flow as a PNG, drawn here: rows of boxes that run together, lines between them. It needs no drawing library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from server.cli.flows.glyphs import COLUMNS, GLYPHS, ROWS

DOT = 2
"""Pixels of one dot of a letter; all lengths below are pixels."""
MARGIN, GAP, ROW_GAP, PAD = 24, 28, 44, 12
LINE_WIDTH = 10
"""Of the place that a line takes in a row that it passes."""
BOX_HEIGHT = ROWS * DOT + 2 * PAD
MAX_LETTERS = 32

Colour = tuple[int, int, int]
PAPER: Colour = (255, 255, 255)
INK: Colour = (40, 40, 60)
EDGE: Colour = (130, 130, 150)
FILL: Colour = (242, 240, 255)
LAST: Colour = (222, 245, 226)

Canvas = NDArray[np.uint8]
Item = tuple[str, ...]
"""In a row: `(node,)`, or `("past", node)`, the line that leads from it to all those further down."""
PAST = "past"


@dataclass(frozen=True)
class Place:
    """Where an item stands: its middle and its width; the row says how high."""

    middle: int
    width: int
    row: int

    @property
    def top(self) -> int:
        return MARGIN + self.row * (BOX_HEIGHT + ROW_GAP)

    @property
    def bottom(self) -> int:
        return self.top + BOX_HEIGHT


def picture(rounds: Sequence[Sequence[str]], needs: Mapping[str, Sequence[str]], exits: Collection[str]) -> bytes:
    """The bytes of a PNG. `rounds`: the steps of each superstep; `needs`: step → those it depends on."""
    rows = laid_out(rounds, needs)
    places = placed(rows)
    right = max(place.middle + place.width // 2 for row in places for place in row.values())
    canvas: Canvas = np.full((places_bottom(len(rows)), right + MARGIN, 3), PAPER, dtype=np.uint8)
    for above, below in pairwise(places):
        for item, place in below.items():
            for source in sources(item, above, needs):
                _line(canvas, above[source], place, arrow=len(item) == 1)
    for row in places:
        for item, place in row.items():
            if len(item) == 1:
                _box(canvas, place, label(item[0]), LAST if item[0] in exits else FILL)
            else:
                canvas[place.top : place.bottom, place.middle - 1 : place.middle + 1] = EDGE
    return png(canvas)


def laid_out(rounds: Sequence[Sequence[str]], needs: Mapping[str, Sequence[str]]) -> list[list[Item]]:
    """The rows with the lines that pass them, each item near what is above it."""
    row_of = {step: number for number, steps in enumerate(rounds) for step in steps}
    rows: list[list[Item]] = [[(step,) for step in steps] for steps in rounds]
    # One line for all that a step leads to: of a hundred steps that need all before them there are thousands.
    last = {source: row_of[target] for target in row_of for source in needs[target]}
    for source in row_of:
        for passed in range(row_of[source] + 1, last.get(source, 0)):
            rows[passed].append((PAST, source))
    for above, below in pairwise(rows):
        order = {item: place for place, item in enumerate(above)}
        below.sort(key=lambda item: _mean([order[source] for source in sources(item, order, needs)]))
    return rows


def sources(item: Item, above: Collection[Item], needs: Mapping[str, Sequence[str]]) -> list[Item]:
    """What of the row above leads to an item: steps, and lines that pass them."""
    wanted = needs[item[0]] if len(item) == 1 else [item[1]]
    return [one for source in wanted for one in ((source,), (PAST, source)) if one in above]


def placed(rows: Sequence[Sequence[Item]]) -> list[dict[Item, Place]]:
    """Each row in the middle of the widest one."""
    widths = [[LINE_WIDTH if len(item) == 2 else _width(label(item[0])) + 2 * PAD for item in row] for row in rows]
    totals = [sum(row) + GAP * (len(row) - 1) for row in widths]
    places: list[dict[Item, Place]] = []
    for number, (row, sizes, total) in enumerate(zip(rows, widths, totals, strict=True)):
        left = MARGIN + (max(totals) - total) // 2
        places.append({})
        for item, width in zip(row, sizes, strict=True):
            places[-1][item] = Place(left + width // 2, width, number)
            left += width + GAP
    return places


def places_bottom(rows: int) -> int:
    return 2 * MARGIN + rows * BOX_HEIGHT + (rows - 1) * ROW_GAP


def label(step: str) -> str:
    return step if len(step) <= MAX_LETTERS else f"{step[: MAX_LETTERS - 2]}.."


def png(canvas: Canvas) -> bytes:
    """An image of height, width and three bytes a pixel in the format PNG (ISO 15948), without a palette."""
    height, width, _ = canvas.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Each row begins with its filter, here none.
    raw = np.insert(canvas.reshape(height, width * 3), 0, 0, axis=1).tobytes()
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _mean(places: Sequence[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def _width(text: str) -> int:
    return (len(text) * (COLUMNS + 1) - 1) * DOT


def _box(canvas: Canvas, place: Place, text: str, fill: Colour) -> None:
    left, right = place.middle - place.width // 2, place.middle + place.width // 2
    canvas[place.top : place.bottom, left:right] = INK
    canvas[place.top + 2 : place.bottom - 2, left + 2 : right - 2] = fill
    column = place.middle - _width(text) // 2
    for character in text:
        for bits in GLYPHS[character]:
            for row in range(ROWS):
                if bits >> row & 1:
                    top = place.top + PAD + row * DOT
                    canvas[top : top + DOT, column : column + DOT] = INK
            column += DOT
        column += DOT


def _line(canvas: Canvas, above: Place, below: Place, *, arrow: bool) -> None:
    start, end = (above.middle, above.bottom), (below.middle, below.top)
    steps = max(abs(end[0] - start[0]), end[1] - start[1], 1)
    columns = np.linspace(start[0], end[0], steps + 1).astype(int)
    rows = np.linspace(start[1], end[1], steps + 1).astype(int)
    canvas[rows, columns - 1] = canvas[rows, columns] = EDGE
    for depth in range(8 if arrow else 0):
        canvas[end[1] - depth - 1, end[0] - depth // 2 - 1 : end[0] + depth // 2 + 1] = EDGE
