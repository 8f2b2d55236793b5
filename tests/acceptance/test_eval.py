"""`lab eval` end to end: two configurations over a data set, stopped and continued; misuse."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.processes import Lab, Process

ITEMS = [
    {"prompt": "What is 17 + 25?", "expected": ["42", "17 + 25 = 42"], "task": "math"},
    {"prompt": "How much is 31 * 12?", "expected": ["372", "31 * 12 = 372"]},
    {"prompt": "Invierte la palabra casa", "expected": "asac"},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "items.jsonl"
    file.write_text("".join(json.dumps(item) + "\n" for item in ITEMS))
    return file


def test_two_configurations_are_compared(lab: Lab, data: Path) -> None:
    done = lab.run("eval", "run", str(data), "--a", "graph=direct", "--b", "model=demo", "--json", "--differences", "5")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["items"] == 3 and told["wins_a"] == 0 and told["wins_b"] >= 1
    assert told["b"]["right"] == 1.0 and told["a"]["right"] < 1.0 and told["win_rate"] == 1.0
    assert told["interval"][0] < 1.0 and told["b"]["tokens"] > 0 and told["b"]["seconds_p50"] > 0
    assert all(pair["b"]["right"] and not pair["a"]["right"] for pair in told["differences"])

    table = lab.run("eval", "run", str(data), "--a", "graph=direct", "--b", "model=demo", "--limit", "1").stdout
    assert "graph=direct" in table and "1 items" in table


def test_a_stopped_experiment_tells_what_it_has_and_goes_on(lab: Lab, tmp_path: Path) -> None:
    data, out = tmp_path / "many.jsonl", tmp_path / "results.jsonl"
    data.write_text("".join(json.dumps({"prompt": f"Say {n}"}) + "\n" for n in range(200)))
    words = (
        "eval",
        "run",
        str(data),
        "--a",
        "graph=direct,max_tokens=5",
        "--b",
        "graph=direct,model=slow,max_tokens=40",
    )
    with lab.start(*words, "--out", str(out)) as process:
        wait_for_lines(out, 3, process)
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.stdout is not None
        said = process.popen.stdout.read()
        assert process.popen.wait(timeout=60) == 130
    assert "of 200 items; the same command goes on" in "".join(process.errors)
    assert "Traceback" not in "".join(process.errors) and "graph=direct,max_tokens=5" in said
    kept = len(out.read_text().splitlines()) - 1
    again = lab.run(*words, "--out", str(out), "--limit", str(kept + 1), "--json")
    assert json.loads(again.stdout)["items"] == kept + 1, again.stderr
    assert len(out.read_text().splitlines()) == kept + 2


def wait_for_lines(file: Path, count: int, process: Process) -> None:
    deadline = time.monotonic() + 60
    while not file.exists() or len(file.read_text().splitlines()) < count:
        assert process.popen.poll() is None and time.monotonic() < deadline, "".join(process.errors)
        time.sleep(0.02)


def test_misuse_is_told_in_one_line(lab: Lab, data: Path) -> None:
    for words, told in [
        (("--a", "graph=crew", "--b", "model=demo"), "there is no graph 'crew'"),
        (("--a", "model=nobody", "--b", "model=demo"), "no model named 'nobody'"),
        (
            ("--a", "model=demo", "--b", "model=demo", "--match", "near"),
            "--match: 'near' is not one of exact, contains",
        ),
        (("--a", "tempreature=1", "--b", "model=demo"), "tempreature: Extra inputs are not permitted; keys: graph"),
    ]:
        code, said = lab.run_here("eval", "run", str(data), *words)
        assert code == 2 and told in said and "\n" not in said
    code, said = lab.run_here("eval", "run", "nowhere.jsonl", "--a", "model=demo", "--b", "model=demo")
    assert code == 2 and "nowhere.jsonl: cannot be read" in said
