"""Log files of one folder: each process writes its own, and the oldest go when they are too old or too many."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DAY_SEC = 86_400.0
COMPLAIN_SEC = 60.0
"""Between two complaints that a line cannot be written."""
_OURS = re.compile(r"lab-\w+-\d{8}T\d{6}Z-\d+(-\d+)?\.jsonl")
"""Files of this name are deleted in time; whatever else lies there stays."""


@dataclass(frozen=True)
class LogFile:
    """One that is there."""

    path: Path
    size_bytes: int
    changed_at: float
    """Unix seconds."""


def to_delete(files: Iterable[LogFile], now: float, *, days: float, room_bytes: int) -> list[LogFile]:
    """Those older than `days`, then the oldest until the rest takes no more than `room_bytes`."""
    by_age = sorted(files, key=lambda file: (file.changed_at, file.path.name))
    old = [file for file in by_age if now - file.changed_at > days * DAY_SEC]
    rest = by_age[len(old) :]
    taken = sum(file.size_bytes for file in rest)
    for file in rest:
        if taken <= room_bytes:
            break
        old.append(file)
        taken -= file.size_bytes
    return old


def is_full(size_bytes: int, most_bytes: int, opened_at: float, now: float) -> bool:
    """Whether a file is to be ended: it is large enough, or was begun on an earlier day (UTC)."""
    return size_bytes >= most_bytes or int(opened_at // DAY_SEC) != int(now // DAY_SEC)


class LogFiles(logging.Handler):
    """Appends each line to this process's file in a folder, and begins a new one when that is full.

    A line that cannot be written, on a full disk say, is lost: it is told on stderr now and then, and nothing else is
    held up by it. Its file is locked for as long as it is written, so that no other process deletes it.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        size_bytes: int,
        days: float,
        total_bytes: int,
        clock: Callable[[], float] = time.time,
        complain: Callable[[str], object] = lambda text: sys.stderr.write(f"{text}\n"),
    ) -> None:
        """`name`: of the command. Raises OSError: the folder cannot be made, or no file in it."""
        super().__init__()
        self._folder = folder
        self._name = name
        self._size_bytes = size_bytes
        self._days = days
        self._total_bytes = total_bytes
        self._clock = clock
        self._complain = complain
        self._complained_at = float("-inf")
        self._file = -1
        self._torn = False
        self._written = 0
        self._opened_at = 0.0
        self._begin()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
            if self._file < 0 or is_full(self._written, self._size_bytes, self._opened_at, self._clock()):
                self._begin()
            self._write(line)
        except OSError as error:
            self._lost(error)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        self._end()
        super().close()

    def fileno(self) -> int:
        """The file that is written now."""
        return self._file

    def _write(self, line: bytes) -> None:
        # A line of which only a part fitted on the disk is ended before the next one.
        line = b"\n" + line if self._torn else line
        written = os.write(self._file, line)
        self._written += written
        self._torn = written < len(line)

    def _begin(self) -> None:
        """Go on in a new file, and look which of the old ones are to go."""
        self._end()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = self._clock()
        begun = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        stem, count = f"lab-{self._name}-{begun}-{os.getpid()}", 0
        while self._file < 0:
            path = self._folder / f"{stem}{f'-{count}' if count else ''}.jsonl"
            with suppress(FileExistsError):  # begun in the same second
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
            count += 1
        self._opened_at, self._written, self._torn = now, 0, False
        with suppress(OSError):  # a disk of another machine may have no locks: then no process can delete here, either
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._tidy(now)

    def _end(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _tidy(self, now: float) -> None:
        # Room for what this process is going to write, so that the total holds until it looks again.
        room = self._total_bytes - self._size_bytes
        for file in to_delete(files_in(self._folder), now, days=self._days, room_bytes=room):
            _delete(file.path)

    def _lost(self, error: OSError) -> None:
        now = self._clock()
        if now - self._complained_at >= COMPLAIN_SEC:
            self._complained_at = now
            with suppress(OSError, ValueError):  # stderr is gone, too
                self._complain(f"log lines are lost: {self._folder} cannot be written ({error.strerror})")


def files_in(folder: Path) -> Sequence[LogFile]:
    """The log files of a folder, those that are being written included."""
    found = []
    for path in folder.iterdir():
        if _OURS.fullmatch(path.name):
            with suppress(OSError):  # another process has just deleted it
                status = path.stat()
                found.append(LogFile(path, status.st_size, status.st_mtime))
    return found


def _delete(path: Path) -> None:
    """Delete it unless a process writes it."""
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(file)
