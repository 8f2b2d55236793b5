"""`lab` as its users start it: a process, its output, its signals."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from server.cli.main import main
from tests.acceptance.forking import starts

ROOT = Path(__file__).parents[2]
SERVING = re.compile(r"serving on (http://127\.0\.0\.1:\d+)")


@dataclass
class Lab:
    """Runs `lab` with these settings and nothing else of the environment's."""

    settings: dict[str, str]
    folder: Path

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        popen = self._open(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with popen:
            try:
                said, errors = popen.communicate(stdin, timeout=120)
            finally:
                popen.kill()
        return subprocess.CompletedProcess(popen.args, popen.returncode, said, errors)

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        """The events of `lab ask --json …`, which must end well."""
        done = self.run("ask", "--json", *arguments)
        assert done.returncode in (0, 3), done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run_here(self, *arguments: str) -> tuple[int, str]:
        """Run in this process, which saves its start; exit code and what stood on stderr, stripped."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stderr(said), redirect_stdout(io.StringIO()):
            for name, value in self.settings.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["lab", *arguments])
            handlers = logging.root.handlers[:]
            try:
                main()
                code: object = 0
            except SystemExit as left:
                code = left.code
            finally:
                logging.root.handlers[:] = handlers
        assert isinstance(code, int)
        return code, said.getvalue().strip()

    @contextmanager
    def start(self, *arguments: str) -> Iterator[Process]:
        """Start; killed at the end if it still runs."""
        popen = self._open(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts its background jobs with Ctrl-C ignored, and children inherit that: not what is tested.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        process = Process(popen)
        try:
            yield process
        finally:
            process.end()

    def command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "server", *arguments]

    def _open(self, arguments: tuple[str, ...], **how: Any) -> subprocess.Popen[str]:
        command, environment = self.command(arguments), self.environment()
        return starts(command, environment)(command, env=environment, cwd=self.folder, **how)

    def environment(self) -> dict[str, str]:
        """What its processes see of the environment."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if name in os.environ}
        coverage = {name: value for name, value in os.environ.items() if name.startswith(("COV_", "COVERAGE_"))}
        return {**kept, **coverage, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **self.settings}


@dataclass
class Process:
    """A running `lab`; what it says on stderr is gathered while it runs."""

    popen: subprocess.Popen[str]
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._gather, daemon=True)
        self._reader.start()

    def event(self, name: str, **wanted: Any) -> dict[str, Any]:
        """Read events from stdout up to the first of this name with this data."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == name and wanted.items() <= event["data"].items():
                return event
        raise AssertionError(f"no event {name} {wanted}: {''.join(self.errors)}")

    def drain(self) -> None:
        """Read stdout to its end: a process whose pipe is full waits for its reader, not for its signals."""
        assert self.popen.stdout is not None
        self.popen.stdout.read()

    def wait_for(self, text: str) -> None:
        """Wait until it says this on stderr."""
        with self._said:
            self._said.wait_for(lambda: text in "".join(self.errors) or self.popen.poll() is not None, timeout=60)
        assert text in "".join(self.errors), "".join(self.errors)

    def address(self) -> str:
        """Where `lab serve` listens, once it says so."""
        with self._said:
            found = self._said.wait_for(lambda: SERVING.search("".join(self.errors)) or self.popen.poll(), timeout=60)
        assert isinstance(found, re.Match), "".join(self.errors)
        return found.group(1)

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait()
        self._reader.join()
        assert self.popen.stdout is not None and self.popen.stderr is not None
        self.popen.stdout.close()
        self.popen.stderr.close()

    def _gather(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self._said:
                self.errors.append(line)
                self._said.notify_all()
        with self._said:
            self._said.notify_all()
