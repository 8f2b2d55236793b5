"""What `lab serve` says where no terminal listens: JSON lines on stderr and in a file, also of its end."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import httpx

from tests.acceptance.processes import Lab


def test_a_stopped_server_has_told_everything_on_stderr_and_in_its_file(lab: Lab, tmp_path: Path) -> None:
    settings = {**lab.settings, "LAB_LOG_DIR": str(tmp_path / "logs"), "LAB_OPENAI_API_KEY": "key-of-nobody-else"}
    with replace(lab, settings=settings).start("serve", "--port", "0") as server:
        address = server.address()
        answer = httpx.get(f"{address}/models/nowhere", headers={"authorization": "Bearer key-of-nobody-else"})
        assert httpx.get(f"{address}/ok").is_success
        server.popen.send_signal(signal.SIGTERM)
        assert server.popen.wait(60) == -signal.SIGTERM
        server.drain()
    said = "".join(server.errors)
    lines = [json.loads(line) for line in said.splitlines()]
    [access] = [line for line in lines if line["logger"] == "server.access"]
    assert (access["method"], access["path"], access["status"]) == ("GET", "/models/nowhere", 404)
    assert access["execution_id"] == answer.headers["x-execution-id"] == answer.json()["execution_id"]
    assert lines[0]["event"] == f"serving on {address} (Ctrl-C stops)"
    assert lines[-1]["event"].startswith("Finished server process")
    assert "key-of-nobody-else" not in said
    [file] = (tmp_path / "logs").iterdir()
    assert file.read_text() == said
