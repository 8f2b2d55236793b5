"""`lab` on a terminal, as a human sits before it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.acceptance.forking import starts
from tests.acceptance.processes import Lab

SECONDS = 60


@dataclass
class Terminal:
    """A running `lab` whose standard streams are one pseudo-terminal."""

    popen: subprocess.Popen[bytes]
    end: int
    _unread: str = ""

    def wait_for(self, text: str) -> str:
        """What stands on the screen up to this text, from where the last wait ended."""
        while text not in self._unread:
            ready, _, _ = select.select([self.end], [], [], SECONDS)
            assert ready, f"no '{text}' in {SECONDS} s: {self._unread}"
            try:
                said = os.read(self.end, 65_536)
            except OSError:  # so a terminal tells that its program has ended
                said = b""
            assert said, f"ended without '{text}': {self._unread}"
            self._unread += said.decode("utf-8", "replace")
        seen, self._unread = self._unread.split(text, 1)
        return seen

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self.end, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.popen.send_signal(signal.SIGINT)


@contextmanager
def on_terminal(lab: Lab, *arguments: str) -> Iterator[Terminal]:
    """Start `lab`; killed at the end if it still runs."""
    ours, its = pty.openpty()
    command, environment = [sys.executable, "-m", "server", *arguments], {**lab.environment(), "TERM": "xterm"}
    popen = starts(command, environment)(
        command,
        env=environment,
        cwd=lab.folder,
        stdin=its,
        stdout=its,
        stderr=its,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(its)
    try:
        yield Terminal(popen, ours)
    finally:
        popen.kill()
        popen.wait()
        os.close(ours)
