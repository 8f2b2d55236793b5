"""`lab models` beside a running `lab serve`: what is loaded there, and what it is told to load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.acceptance.hubs import ADD, as_json, listed, lone_lab, printed, with_hub
from tests.acceptance.processes import Lab, Process
from tests.integration.hub import Hub


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with lone_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def hub(lab: Lab) -> Iterator[Hub]:
    with with_hub(lab) as running:
        yield running


@pytest.fixture
def server(lab: Lab, database_url: str) -> Iterator[Process]:
    """`lab serve` where the commands look for it."""
    lab.settings["LAB_DATABASE_URL"] = database_url
    with lab.start("serve", "--port", "0") as process:
        lab.settings["LAB_PORT"] = process.address().rpartition(":")[2]
        yield process


def test_a_running_server_loads_pins_and_unloads(lab: Lab, server: Process) -> None:
    assert as_json(lab, "list")[0]["loaded"] == []
    loaded = as_json(lab, "load", "demo", "--keep-alive", "1000")
    assert loaded["loaded"] == ["standard"] and loaded["residents"][0]["expires_in_sec"] > 900
    line = next(line for line in printed(lab, "list").splitlines() if line.startswith("demo "))
    assert "standard" in line
    assert "leaves in" in printed(lab, "info", "demo")
    assert "pinned" in printed(lab, "load", "demo", "--pin")
    assert listed(lab)["demo"]["residents"][0]["pinned"]
    assert "leaves in" in printed(lab, "load", "demo", "--no-pin")
    assert as_json(lab, "unload", "demo") == {"unloaded": 1}
    assert "not in memory" in printed(lab, "unload", "demo", "--strategy", "standard")
    for verb in ("load", "unload"):
        done = lab.run("models", verb, "demos")
        assert done.returncode == 2 and "did you mean demo?" in done.stderr


def test_a_running_server_fetches_what_it_is_to_load(lab: Lab, hub: Hub, server: Process) -> None:
    assert "tiny: standard" in printed(lab, "load", "tiny")
    assert listed(lab)["tiny"]["loaded"] == ["standard"]
    done = lab.run("models", "load", "far")
    assert done.returncode == 2 and "remote" in done.stderr


def test_a_running_server_knows_at_once_what_is_added(lab: Lab, hub: Hub, server: Process) -> None:
    assert "added mine" in printed(lab, "add", "mine", *ADD)
    assert as_json(lab, "load", "mine")["loaded"] == ["standard"]
    printed(lab, "remove", "mine")
    done = lab.run("models", "load", "mine")
    assert done.returncode == 2 and "no model named 'mine'" in done.stderr


class Stranger(BaseHTTPRequestHandler):
    """Some other program's server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_: object) -> None:
        pass


def test_what_is_not_a_lab_on_the_port_is_told_so_or_passed_over(lab: Lab) -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            lab.settings["LAB_PORT"] = str(server.server_address[1])
            code, line = lab.run_here("models", "load", "demo")
            assert code == 2 and "not Agent Lab" in line and "LAB_PORT" in line
            assert "demo" in printed(lab)
        finally:
            server.shutdown()
            thread.join()
