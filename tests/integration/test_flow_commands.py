"""`lab flows` on a real database, in this process; no model is asked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli.main import app

ASK = """
flow_id: ask-me
entry_point: sum
exit_points: [tell]
metadata: {example: {expression: 6 * 7}}
nodes:
  - {id: sum, type: tool, config: {tool: calculator, input: {expression: "${input.expression}"}}}
  - {id: ask, type: human, depends_on: [sum], config: {question: "Is ${sum} right?", choices: ["yes", "no"]}}
  - {id: tell, type: tool, depends_on: [sum, ask], config: {tool: text_statistics, input: {text: "${sum} ${ask}"}}}
"""


ASK_TWO = """
flow_id: ask-two
entry_point: begin-with
exit_points: [tell]
nodes:
  - {id: begin-with, type: tool, config: {tool: text_statistics, input: {text: "${query}"}}}
  - {id: one, type: human, depends_on: [begin-with], config: {question: "One?", choices: ["1", "2"]}}
  - {id: two, type: human, depends_on: [begin-with], config: {question: "Two?"}}
  - {id: tell, type: tool, depends_on: [one, two], config: {tool: text_statistics, input: {text: "${one} ${two}"}}}
"""


def test_flows_are_checked_tried_out_run_answered_and_kept(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LAB_DATABASE_URL": database_url, "LAB_DATA_DIR": str(tmp_path / "data"), "LAB_OFFLINE": "true"
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Path("ask.yaml").write_text(ASK)

    def lab(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["flows", *words])
        assert done.exit_code == code, (words, done.output, done.exception)
        return str(done.exception) if done.exit_code == 1 else done.output

    # Names are looked up among what is registered.
    Path("bad.yaml").write_text(ASK.replace("type: human", "agent_id: riter").replace("calculator", "calculater"))
    told = lab("lint", "ask.yaml", "bad.yaml", code=2).splitlines()
    assert told[0] == "✓ ask.yaml: ask-me, 3 nodes"
    assert told[1].startswith("bad.yaml:7:42: node 'sum': there is no tool 'calculater', did you mean calculator?")
    assert told[2].startswith("bad.yaml:8:25: there is no agent 'riter', did you mean writer?; agents are: assistant")

    plan = json.loads(lab("dry-run", "research-write-review", "--query", "Why?", "--json"))
    assert [[node["node"] for node in together] for together in plan["steps"]] == [["research"], ["write"], ["review"]]
    (research,), (write,), _ = plan["steps"]
    assert (research["agent_id"], research["agent_class"], research["status"]) == ("researcher", "ChatAgent", "idle")
    assert (research["text"], write["text"]) == (
        "Collect the facts that answer this: Why?",
        "Facts: ‹research›\n\nRequest: Why?",
    )
    assert "2. ask  human" in lab("dry-run", "ask.yaml")

    # A file runs without being kept, on its example, to where a human is asked.
    events = [json.loads(line) for line in lab("run", "ask.yaml", "--json", code=3).splitlines()]
    assert [event["event"] for event in events][-1] == "interrupt"
    waiting: dict[str, Any] = events[-1]["data"]
    assert waiting["interrupts"][0]["value"]["question"] == "Is 42 right?"
    assert lab("resume", waiting["execution_id"], "maybe", "--json", code=3).count("maybe") > 0
    answered = lab("resume", waiting["execution_id"], "yes")
    assert "▶ tell" in answered and "3 of 3 steps" in answered and "2 words" in answered
    assert "asks nothing: it is COMPLETED" in lab("resume", waiting["execution_id"], "yes", code=1)
    assert "'x' is no id of an execution" in lab("resume", "x", "yes", code=1)

    # A node that fails is told; where no node answers, so is the run.
    failed = lab("run", "ask.yaml", "--input", '{"expression": "x"}', code=1)
    assert "sum" in failed and "'x'" in failed

    assert "there is no file and no flow 'ask-me'; flows are: code-and-test-review" in lab("run", "ask-me", code=1)
    assert lab("save", "ask.yaml", "bad.yaml", code=1).startswith("bad.yaml:7:42: ")
    assert lab("save", "ask.yaml") == "created ask-me, version 1\n"
    assert "sum --> ask;" in lab("draw", "ask-me")
    kept = {flow["flow_id"]: flow["source"] for flow in json.loads(lab("list", "--json"))}
    assert kept["ask-me"] == "api" and kept["translate-and-check"] == "shipped"
    assert "Answer with: lab flows resume" in lab("run", "ask-me", code=3)
    Path("twice.yaml").write_text(ASK)
    assert "the flow 'ask-me' stands in ask.yaml, too" in lab("save", "ask.yaml", "twice.yaml", code=1)

    # Two ask at once: each is answered by itself, and once answered does not ask again.
    Path("two.yaml").write_text(ASK_TWO)
    told = lab("run", "two.yaml", "--query", "x", code=3)
    (execution, one), (_, two) = re.findall(r"resume (\S+) ANSWER --interrupt (\S+)", told)
    assert told.index("One?") < told.index(one) < told.index("Two?") < told.index(two)
    several = lab("resume", execution, "1", code=1)  # in whichever order Postgres keeps them
    assert "name one as interrupt_id: " in several and one in several and two in several
    assert "Two?" in (left := lab("resume", execution, "1", "--interrupt", one, code=3)) and "One?" not in left
    assert "One?" not in lab("resume", execution, '""', code=3), "no answer: the same question again, and only that"
    assert "4 of 4 steps" in lab("resume", execution, "fine")
