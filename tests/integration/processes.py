"""Other `lab` processes, for tests of what several of them do to one database."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]

PRELUDE = """
import asyncio, os, sys
from pathlib import Path
from uuid import UUID
from server.db.embedded import open_embedded
from server.db.migrate import migrate
from server.db.pool import open_database
from server.db.runs import Runs
from server.db.worker import open_worker
from server.settings import Settings

def say(*words):
    print(*words, flush=True)

def wait_for_word():
    sys.stdin.readline()

"""


@contextmanager
def python(body: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `body`, an async function's lines, in another process; it talks through `say`, waits at `wait_for_word`."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PRELUDE}async def main():\n{lines}\nasyncio.run(main())", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()


def hear(process: subprocess.Popen[str]) -> str:
    """The next line it says; fails when it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the process ended with {process.wait()}"
    return line.strip()


def speak(process: subprocess.Popen[str]) -> None:
    """Let it go on from `wait_for_word`."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def wait_until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
