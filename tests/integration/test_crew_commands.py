"""`lab crews` on a real database, in this process; no model is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.main import app
from tests.integration.served import AGENTS

CREW = """
name: A pair
execution_mode: Sequential
agents:
  - {agent_id: first, agent_class: Echo, config: {attempts: 1}}
  - {agent_id: second, agent_class: Echo, config: {attempts: 1}}
"""


def test_crews_are_checked_kept_drawn_and_run(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LAB_DATABASE_URL": database_url, "LAB_DATA_DIR": str(tmp_path / "data"), "LAB_OFFLINE": "true",
        "LAB_AGENTS_DIR": str(tmp_path / "agents"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Path("agents").mkdir()
    Path("agents/plain.py").write_text(AGENTS)
    Path("pair.yaml").write_text(CREW)
    Path("bad.yaml").write_text(CREW.replace("agent_class: Echo, config", "agent_class: Ecko, config", 1))
    Path("broken.json").write_text(
        '{"agents": [{"agent_id": "a", "agent_class": "Broken", "config": {"attempts": 1}}]}'
    )

    def lab(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["crews", *words])
        assert done.exit_code == code, (words, done.output, done.exception)
        return str(done.exception) if done.exit_code == 1 else done.output

    assert "no crew is kept" in lab()
    good, bad = lab("lint", "pair.yaml", "bad.yaml", code=2).splitlines()
    assert good == "✓ pair.yaml: pair, 2 agents"
    assert bad.startswith("bad.yaml:5:36: there is no agent class 'Ecko'")
    assert json.loads(lab("lint", "bad.yaml", "--json", code=2))[0]["faults"][0]["line"] == 5
    assert "bad.yaml:5:36" in lab("save", "pair.yaml", "bad.yaml", code=2)
    assert json.loads(lab("list", "--json")) == [], "all are kept, or none"
    assert lab("save", "pair.yaml") == "created pair, version 1\n"
    assert lab("save", "pair.yaml") == "updated pair, version 1\n"
    assert "first, second" in lab()
    assert "first --> second" in lab("draw", "pair") and "begin --> a" in lab("draw", "broken.json")

    told = lab("run", "pair", "--query", "hello")
    assert "▶ first" in told and "second: first: first: hello" in told and "2 of 2 steps" in told
    *_, last = lab("run", "pair.yaml", "--query", "hello", "--json").splitlines()
    assert json.loads(last)["event"] == "result"
    assert "it is broken" in lab("run", "broken.json", "--query", "hello", code=1)
    *_, last = lab("run", "broken.json", "--query", "hello", "--json", code=2).splitlines()
    assert json.loads(last)["data"]["status"] == "FAILED"
    assert "--query is missing" in lab("run", "pair", code=1)
    assert "there is no crew 'other'" in lab("run", "other", "--query", "hello", code=1)
