"""Log files: begun anew when they are full, deleted in time, and never in anybody's way."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest

from server.telemetry.log_files import DAY_SEC, LogFile, LogFiles, files_in, is_full, to_delete

NOW = 1_700_000_000.0
"""2023-11-14, 22:13:20 UTC."""


def file(name: str, size: int, days: float) -> LogFile:
    return LogFile(Path(name), size, NOW - days * DAY_SEC)


FILES = [file("new", 30, 0), file("older", 30, 2), file("oldest", 30, 3)]


@pytest.mark.parametrize(
    ("days", "room", "gone"),
    [
        (14, 90, []),
        (14, 89, ["oldest"]),
        (14, 30, ["oldest", "older"]),
        (14, 0, ["oldest", "older", "new"]),
        (2.5, 90, ["oldest"]),
        (2.5, 59, ["oldest", "older"]),
        (1, 90, ["oldest", "older"]),
    ],
)
def test_the_oldest_go_when_they_are_too_old_or_too_many(days: float, room: int, gone: list[str]) -> None:
    assert [one.path.name for one in to_delete(FILES, NOW, days=days, room_bytes=room)] == gone


@pytest.mark.parametrize(
    ("size", "opened_at", "full"),
    [
        (99, NOW, False),
        (100, NOW, True),
        (0, NOW - 22 * 3600, False),
        (0, NOW - 23 * 3600, True),
        (0, NOW + 2 * 3600, True),
    ],
    ids=["room", "large", "today", "yesterday", "a-clock-set-back"],
)
def test_a_file_ends_at_its_size_and_at_midnight(size: int, opened_at: float, full: bool) -> None:
    assert is_full(size, 100, opened_at, NOW) is full


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Folder:
    """Log files of 100 bytes, four of them at most, in a folder of a test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Clock()
        self.said: list[str] = []

    def open(self, name: str = "serve") -> LogFiles:
        return LogFiles(
            self.path,
            name,
            size_bytes=100,
            days=14,
            total_bytes=400,
            clock=self.clock,
            complain=self.said.append,
        )

    def put(self, name: str, size: int, days: float) -> Path:
        path = self.path / name
        self.path.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW - days * DAY_SEC,) * 2)
        return path

    @property
    def texts(self) -> list[str]:
        return [path.read_text() for path in sorted(self.path.iterdir())]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "logs")


def say(handler: LogFiles, text: str) -> None:
    handler.handle(logging.makeLogRecord({"msg": text}))


def test_a_full_file_is_followed_by_another(folder: Folder) -> None:
    files = folder.open()
    for text in ("a" * 60, "b" * 60, "c"):
        say(files, text)
    folder.clock.now += DAY_SEC
    say(files, "d")
    files.close()
    assert sorted(folder.texts) == sorted([f"{'a' * 60}\n{'b' * 60}\n", "c\n", "d\n"])


def test_every_process_has_files_of_its_own_that_only_its_user_reads(folder: Folder) -> None:
    one, other = folder.open(), folder.open()
    say(one, "one")
    say(other, "other")
    one.close()
    other.close()
    assert sorted(folder.texts) == ["one\n", "other\n"]
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {0o600}


def test_old_files_and_those_beyond_the_total_are_deleted_and_nothing_else(folder: Folder) -> None:
    old = folder.put("lab-serve-20231001T000000Z-1.jsonl", 1, 15)
    beyond = folder.put("lab-worker-20231101T000000Z-1.jsonl", 200, 5)
    kept = folder.put("lab-worker-20231102T000000Z-1-2.jsonl", 200, 4)
    notes = folder.put("notes.jsonl", 10_000, 100)
    folder.open().close()
    assert [path.exists() for path in (old, beyond, kept, notes)] == [False, False, True, True]


def test_a_file_that_another_process_writes_is_left(folder: Folder) -> None:
    theirs = folder.put("lab-worker-20231001T000000Z-1.jsonl", 1_000, 15)
    with theirs.open() as written:
        fcntl.flock(written, fcntl.LOCK_SH)
        folder.open().close()
        assert theirs.exists()
    folder.open().close()
    assert not theirs.exists()


def test_all_of_them_never_take_more_than_the_total(folder: Folder) -> None:
    files = folder.open()
    for _ in range(50):
        say(files, "x" * 24)
        assert sum(file.size_bytes for file in files_in(folder.path)) <= 400
    files.close()


def test_a_full_disk_costs_lines_and_nothing_else(folder: Folder) -> None:
    files = folder.open()
    full = os.open("/dev/full", os.O_WRONLY)
    written = os.dup(files.fileno())
    os.dup2(full, files.fileno())
    say(files, "lost")
    say(files, "lost, too")
    assert folder.said == [f"log lines are lost: {folder.path} cannot be written ({os.strerror(errno.ENOSPC)})"]
    folder.clock.now += 61
    say(files, "still")
    assert len(folder.said) == 2
    os.dup2(written, files.fileno())
    say(files, "kept")
    files.close()
    os.close(full)
    os.close(written)
    assert folder.texts == ["kept\n"]


def test_a_folder_that_is_taken_away_and_comes_back_costs_the_lines_meanwhile(folder: Folder) -> None:
    files = folder.open()
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()
    folder.path.write_text("in the way")
    folder.clock.now += DAY_SEC
    say(files, "lost")
    assert len(folder.said) == 1
    folder.path.unlink()
    say(files, "kept")
    files.close()
    assert folder.texts == ["kept\n"]


def test_a_complaint_that_nobody_can_hear_is_dropped(tmp_path: Path) -> None:
    def deaf(text: str) -> None:
        raise BrokenPipeError

    files = LogFiles(tmp_path / "logs", "serve", size_bytes=1, days=1, total_bytes=1, complain=deaf)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, files.fileno())
    os.close(full)
    say(files, "lost")
    files.close()
