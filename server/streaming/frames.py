"""One event of a run, in memory and in the log: a line of its name, a space and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SPACE = "\x1f"
"""Stands in the log for a space in a name: that of a nested graph's node may have one."""

END = "end"
"""Name of a run's last event."""


class Frame(NamedTuple):
    """`seq` counts a run's events from 1; `data` is JSON on one line."""

    seq: int
    name: str
    data: bytes


def lines_of(frames: Iterable[Frame]) -> bytes:
    """Frames as the log keeps them. JSON on one line holds no line ends."""
    return b"\n".join(b"%b %b" % (frame.name.replace(" ", _SPACE).encode(), frame.data) for frame in frames)


def frames_of(first_seq: int, lines: bytes) -> Sequence[Frame]:
    """The frames of one batch of the log."""
    found = []
    for offset, line in enumerate(lines.split(b"\n")):
        name, _, data = line.partition(b" ")
        found.append(Frame(first_seq + offset, name.decode().replace(_SPACE, " "), data))
    return found
