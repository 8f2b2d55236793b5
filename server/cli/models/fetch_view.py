"""How a download is shown: a bar on a terminal, lines of JSON, or a line at its end."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from llm.sizing import human_bytes

TELL_SEC = 0.2
"""Progress is printed this often at most."""


class FetchView(Protocol):
    """Told of downloads, one after the other."""

    def tell(self, name: str, done: int, total: int) -> None:
        """Bytes here, bytes in all. Called often."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class BarView:
    """A bar for each model, with bytes, speed and the time that is left; nothing where it is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def tell(self, name: str, done: int, total: int) -> None:
        """See `FetchView`."""
        if name not in self._tasks:
            # What is here already was not fetched now: it counts for the bar and not for the speed.
            self._tasks[name] = self._progress.add_task(name, total=total, completed=done)
        self._progress.update(self._tasks[name], completed=done, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()


class JsonView:
    """A line for each step, `TELL_SEC` apart, the last one excepted."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, name: str, done: int, total: int) -> None:
        """See `FetchView`."""
        now = time.monotonic()
        if now >= self._next or done == total:
            self._next = now + TELL_SEC
            print_event("progress", {"name": name, "done_bytes": done, "total_bytes": total})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


def print_event(name: str, data: object) -> None:
    """One line of JSON, in the form of `lab ask --json`."""
    print(json.dumps({"event": name, "data": data}, ensure_ascii=False), flush=True)


def how_far(done: int, total: int) -> str:
    """`1.2 GiB of 3.3 GiB`."""
    return f"{human_bytes(done)} of {human_bytes(total)}"
