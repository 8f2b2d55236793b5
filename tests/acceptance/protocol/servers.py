"""Starting a server over the acceptance application: ours, or the reference (`langgraph dev`)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx

ROOT = Path(__file__).parents[3]
APP = Path(__file__).with_name("app")
Kind = Literal["ours", "reference"]
START_SEC = 90.0


@contextmanager
def serving(
    kind: Kind,
    folder: Path,
    *options: str,
    database_url: str | None = None,
    app: Path = APP,
    config: str = "langgraph.json",
) -> Iterator[str]:
    """A server of this kind over `config` of the application in `app`; gives its address. Killed at the end."""
    port = free_port()
    if kind == "ours":
        command = [sys.executable, "-m", "server", "serve", "--config", str(app / config)]
        command += ["--port", str(port), "--data-dir", str(folder / "data"), *options]
        settings = {"LAB_DATABASE_URL": database_url} if database_url else {}
        cwd = folder
    else:
        # It writes a folder of its own beside the configuration, so it is given a copy.
        cwd = Path(shutil.copytree(app, folder / "app", dirs_exist_ok=True))
        command = [os.environ["LAB_REFERENCE"], "dev", "--no-browser", "--no-reload", "--config", config]
        command += ["--port", str(port)]
        settings = {"LANGSMITH_TRACING": "false"}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if name in os.environ}
    coverage = {name: value for name, value in os.environ.items() if name.startswith(("COV_", "COVERAGE_"))}
    environment = {**kept, **coverage, "PYTHONPATH": str(ROOT) if kind == "ours" else "", **settings}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, cwd=cwd, env=environment, stdout=said, stderr=said) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            if not _answers(address, process):
                said.seek(0)
                raise AssertionError(f"the {kind} server did not start:\n{said.read().decode()}")
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SEC
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/ok").status_code == 200:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False
