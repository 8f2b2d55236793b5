"""`lab models pull`, `add` and `remove` end to end: real processes, a hub on the loopback, no server."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.hubs import ADD, arrived, as_json, listed, lone_lab, printed, with_hub
from tests.acceptance.processes import Lab
from tests.integration.hub import WEIGHTS, Hub


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with lone_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def hub(lab: Lab) -> Iterator[Hub]:
    with with_hub(lab) as running:
        yield running


def test_a_pull_tells_its_progress_and_a_second_one_asks_nothing(lab: Lab, hub: Hub) -> None:
    lines = [json.loads(line) for line in printed(lab, "pull", "tiny", "--json").splitlines()]
    steps = [line["data"] for line in lines[:-1]]
    total = sum(map(len, hub.files.values()))
    assert all(line["event"] == "progress" for line in lines[:-1])
    assert [step["done_bytes"] for step in steps] == sorted(step["done_bytes"] for step in steps)
    assert steps[-1] == {"name": "tiny", "done_bytes": total, "total_bytes": total}
    assert lines[-1]["event"] == "result" and (Path(lines[-1]["data"]["folder"]) / WEIGHTS).stat().st_size > 0
    asked = len(hub.of(WEIGHTS))
    assert "tiny is in" in printed(lab, "pull", "tiny", "demo")
    assert len(hub.of(WEIGHTS)) == asked
    assert listed(lab)["tiny"]["here"]


def test_ctrl_c_keeps_what_has_arrived_and_says_how_to_go_on(lab: Lab, hub: Hub) -> None:
    hub.go_on.clear()
    hub.held_from = 100_000
    with lab.start("models", "pull", "tiny", "demo", "--json") as process:
        while arrived(lab, hub) < 90_000:
            with suppress(subprocess.TimeoutExpired):
                process.popen.wait(timeout=0.05)
            assert process.popen.returncode is None, "it ended by itself"
        process.popen.send_signal(signal.SIGINT)
        process.drain()
        assert process.popen.wait(timeout=60) == 130
        said = "".join(process.errors)
    assert "Traceback" not in said and "Go on with: lab models pull tiny demo" in " ".join(said.split())
    hub.go_on.set()
    printed(lab, "pull", "tiny")
    assert hub.of(WEIGHTS)[-1].range not in (None, "bytes=0-")


def test_a_failed_pull_is_an_event_too(lab: Lab, hub: Hub) -> None:
    hub.refusal = (401, "GatedRepo")
    done = lab.run("models", "pull", "tiny", "--json")
    event = json.loads(done.stdout)
    assert done.returncode == 2 and event["event"] == "error" and "HF_TOKEN" in event["data"]["detail"]


def test_a_wrong_name_is_found_before_the_first_byte(lab: Lab, hub: Hub) -> None:
    for name, said in (("tinny", "did you mean tiny?"), ("far", "remote")):
        done = lab.run("models", "pull", "tiny", name)
        assert done.returncode == 2 and said in done.stderr
    assert hub.asked == []


def test_an_added_model_is_kept_beside_the_data_and_can_be_fetched_and_removed(lab: Lab, hub: Hub) -> None:
    info = as_json(lab, "add", "mine", *ADD, "--capability", "chat", "--capability", "code", "--language", "es")
    assert info["added"] and not info["here"] and info["capabilities"] == ["chat", "code"]
    assert "mine" in (lab.folder / "data" / "models.yaml").read_text()
    assert "mine is in" in printed(lab, "pull", "mine")
    assert listed(lab)["mine"]["languages"] == ["es"]
    changed = lab.run("models", "add", "mine", *ADD, "--bits", "8")
    assert changed.returncode == 2 and "remove it first" in changed.stderr
    assert printed(lab, "remove", "mine") == "removed mine\n"
    assert "mine" not in listed(lab)
