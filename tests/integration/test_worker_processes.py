"""`lab worker` and `lab serve --workers`: other processes run what a server accepts, and end with what started them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from server.settings import Settings
from server.worker_processes import command_of
from tests.acceptance.protocol.servers import APP, ROOT, serving

CONFIG = APP / "langgraph.json"
WAIT_SEC = 60.0


def _until(what: str, condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SEC
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it never came to this: {what}")


@contextmanager
def _worker(database_url: str, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "server", "worker", "--config", str(CONFIG), "--data-dir", str(folder / "worker")]
    environment = {**os.environ, "LAB_DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, *options], stdin=subprocess.PIPE, env=environment, cwd=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _start_run(address: str) -> str:
    thread = httpx.post(f"{address}/threads", json={}).json()["thread_id"]
    run = httpx.post(f"{address}/threads/{thread}/runs", json={"assistant_id": "steps", "input": {}}).json()
    return f"{address}/threads/{thread}/runs/{run['run_id']}"


def _status(run: str) -> str:
    return str(httpx.get(run).json()["status"])


def test_a_server_without_workers_leaves_its_runs_to_lab_worker(database_url: str, tmp_path: Path) -> None:
    with serving("ours", tmp_path, "--workers", "0", database_url=database_url) as address:
        run = _start_run(address)
        assert httpx.get(f"{address}/metrics?format=json").json()["workers"]["max"] == 0
        assert _status(run) == "pending"
        with _worker(database_url, tmp_path) as process:
            _until("the run ended well", lambda: _status(run) == "success")
            process.terminate()
            assert process.wait(WAIT_SEC) == 0


def test_a_worker_ends_when_its_parent_s_pipe_closes(database_url: str, tmp_path: Path) -> None:
    with _worker(database_url, tmp_path, "--with-parent") as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_SEC) == 0


def test_a_worker_tells_what_is_wrong_with_its_file_and_ends(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text('{"graphs": {}}')
    command = [sys.executable, "-m", "server", "worker", "--config", str(tmp_path / "langgraph.json")]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=WAIT_SEC)
    assert ended.returncode == 2
    assert "no graph is named" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_server_s_workers_are_started_again_and_end_with_it(database_url: str, tmp_path: Path) -> None:
    def workers() -> set[int]:
        children = psutil.Process().children(recursive=True)
        return {child.pid for child in children if _is_worker(child)}

    with serving("ours", tmp_path, "--workers", "2", database_url=database_url) as address:
        (first,) = _until("one worker beside the server", workers)
        psutil.Process(first).kill()
        again = _until("another in its place", lambda: workers() - {first})
        run = _start_run(address)
        _until("the run ended well", lambda: _status(run) == "success")
    _until("no worker is left", lambda: not any(psutil.pid_exists(pid) for pid in again))


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "worker" in process.cmdline()
    except psutil.Error:  # it ended as it was looked at
        return False


@pytest.mark.parametrize("config", [None, Path("langgraph.json")])
def test_a_worker_is_started_on_the_server_s_application_and_data(config: Path | None, tmp_path: Path) -> None:
    command = command_of(Settings(data_dir=tmp_path, config=config))
    assert command[1:5] == ["-m", "server", "worker", "--with-parent"]
    assert command[-2:] == ["--data-dir", str(tmp_path)]
    assert ("--config" in command) is (config is not None)
    assert all(Path(command[at + 1]).is_absolute() for at, word in enumerate(command) if word == "--config")
