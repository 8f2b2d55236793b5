"""What is wrong with a definition and where: every mistake with its file, line and column, told all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from state.errors import BadRequest

MAX_FAULTS = 100
"""Told at once; more are counted."""
MAX_SHOWN = 80
"""Characters of what somebody wrote, in a message."""

Path = tuple[str | int, ...]
"""Where in a definition: keys and indexes from its top."""


@dataclass(frozen=True)
class Mark:
    """A place in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Fault:
    """One mistake. Without a place in a file, `path` says where it is."""

    message: str
    path: Path = ()
    file: str = ""
    mark: Mark | None = None

    def __str__(self) -> str:
        if self.mark is not None:
            return f"{self.file}:{self.mark.line}:{self.mark.column}: {self.message}"
        where = dotted(self.path) or self.file
        if not where:
            return self.message
        # The path ends with the key that many a message begins with.
        key = str(self.path[-1]) if self.path else ""
        return f"{where}: {self.message.removeprefix(f'{key}: ').removeprefix(f'{key} ')}"


class FlowErrors(BadRequest):
    """A definition that cannot be taken. The message tells a mistake a line, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        told = [str(fault) for fault in self.faults[:MAX_FAULTS]]
        more = len(self.faults) - len(told)
        super().__init__("\n".join([*told, f"and {more} more"] if more else told))


@dataclass(frozen=True)
class Positions:
    """Where everything of a file stands, by its path."""

    file: str = ""
    values: Mapping[Path, Mark] = field(default_factory=dict)
    keys: Mapping[Path, Mark] = field(default_factory=dict)

    def fault(self, path: Path, message: str, *, key: bool = False) -> Fault:
        """A mistake at a value or (`key`) at the key before it; at the nearest thing around it where it is missing."""
        marks = self.keys if key else self.values
        near = path
        while near not in marks and near:
            near, marks = near[:-1], self.values
        return Fault(message, path, self.file, marks.get(near))


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """As they stand in the file; those without a place last, as they came."""
    last = Mark(10**9, 0)
    return sorted(faults, key=lambda fault: ((fault.mark or last).line, (fault.mark or last).column))


def dotted(path: Path) -> str:
    """`nodes[2].depends_on[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in path).removeprefix(".")


def near(word: str, known: Iterable[str]) -> str:
    """`, did you mean write?`, or nothing."""
    if len(word) > MAX_SHOWN:  # comparing takes the product of the lengths
        return ""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {found[0]}?" if found else ""


def listed(names: Iterable[str]) -> str:
    """`a, b, c`; of very many the first thirty."""
    several: Sequence[str] = list(names)
    more = f" and {len(several) - 30} more" if len(several) > 30 else ""
    return (", ".join(several[:30]) or "none") + more


def shown(value: object) -> str:
    """What somebody wrote, short and on one line."""
    text = " ".join((value if isinstance(value, str) else repr(value))[: 2 * MAX_SHOWN].split())
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
