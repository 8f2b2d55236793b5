"""`lab` processes forked from one that has imported all they need: what an import costs is paid once, not 150 times.

A forked process is a child of the tests' own, as one started by exec would be: waited for, killed and stopped by its
pid, with its own streams, folder and environment, and it runs `server` as `python -m server` does.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from ctypes import CDLL
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMPORTED = (
    *("server.cli.main", "server.cli.models.bench"),
    *("llm.loading.pretrained", "llm.loading.standard", "llm.loading.opening", "llm.loading.local"),
    *("llm.engine.batching", "llm.engine.plain", "llm.engine.suits"),
    *("transformers.processing_utils", "langchain_core.tracers.stdout", "anyio.streams.tls"),
)
"""What a `lab` process imports, models and engines too."""
READ_AT_IMPORT = ("HF_", "HUGGING", "TRANSFORMERS", "TORCH", "OMP_", "MKL_", "LANG", "LC_", "PYTHONPATH", "COV", "LD_")
"""Beginnings of the names of variables that libraries read while they are imported."""
PR_SET_CHILD_SUBREAPER = 36
SIZE = 1 << 16


def starts(command: Sequence[str], environment: Mapping[str, str]) -> type[subprocess.Popen[Any]]:
    """How to start this command: forked, where it is `python -m server` and what imports read is as it was."""
    forked = list(command[:3]) == [sys.executable, "-m", "server"] and sys.platform == "linux"
    same = _read(environment) == _read(parent_environment())
    return Forked if forked and same else subprocess.Popen


def parent_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _read(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_IMPORT)}


class Forked(subprocess.Popen[Any]):
    """A process like any other, but for how it comes to be."""

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *_,
    ) -> None:  # fmt: skip
        streams = [own if given == -1 else given for own, given in enumerate((p2cread, c2pwrite, errwrite))]
        self.pid = parent().fork(list(args[3:]), str(cwd or os.getcwd()), dict(env), streams)
        self._child_created = True
        self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)


@cache
def parent() -> Parent:
    """The one of this process; it ends with it."""
    return Parent()


class Parent:
    """What is forked; it has imported everything and started nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.forking", str(its.fileno())],
                cwd=ROOT,
                env=parent_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        assert self._asked.recv(1), "what `lab` processes are forked from did not start"
        atexit.register(self._end)

    def fork(self, arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> int:
        """The pid of a new child of this process."""
        told = json.dumps([arguments, folder, environment]).encode()
        with self._lock:
            # Orphans are adopted by the nearest such ancestor, and the process that is forked becomes one at once.
            _adopting(True)
            try:
                socket.send_fds(self._asked, [len(told).to_bytes(4, "big")], streams)
                self._asked.sendall(told)
                return int.from_bytes(self._asked.recv(4, socket.MSG_WAITALL), "big")
            finally:
                _adopting(False)

    def _end(self) -> None:
        self._asked.close()
        self._process.wait()


def _adopting(on: bool) -> None:
    assert CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) == 0


def main() -> None:
    """Fork until nobody asks any more; each child leaves the loop and is `lab`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = socket.socket(fileno=int(sys.argv[1]))
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    asked.sendall(b".")
    while True:
        size, streams, _, _ = socket.recv_fds(asked, 4, 3)
        if not size:
            return
        told = json.loads(asked.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
        if _is_child(asked):
            asked.close()
            break
        for stream in streams:
            os.close(stream)
    _become(*told, streams)
    runpy.run_module("server", run_name="__main__", alter_sys=True)


def _is_child(asked: socket.socket) -> bool:
    """Fork twice: the one in between ends, and leaves the other to be adopted. Its pid is told once it is."""
    heard, tell = os.pipe()
    between = os.fork()
    if between:
        os.close(tell)
        os.waitpid(between, 0)
        asked.sendall(os.read(heard, 4))
        os.close(heard)
        return False
    child = os.fork()
    if child:
        os.write(tell, child.to_bytes(4, "big"))
        os._exit(0)
    os.close(tell)
    os.close(heard)
    return True


def _become(arguments: list[str], folder: str, environment: dict[str, str], streams: Sequence[int]) -> None:
    """What exec would have given: streams, folder, environment, arguments, the signals that a shell leaves alone."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    for stream in streams:
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["lab", *arguments]
    sys.path[0] = folder
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _writer(1, "strict")
    sys.stderr = sys.__stderr__ = _writer(2, "backslashreplace")


def _writer(number: int, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(open(number, "wb", 0, closefd=False), errors=errors, write_through=True)


if __name__ == "__main__":
    main()
