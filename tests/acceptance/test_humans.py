"""A human decides, in other processes than the one that asked: by the terminal, and over HTTP as chat front ends do."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.acceptance.processes import Lab, Process
from tests.acceptance.terminals import on_terminal

SUM = "What is 17 + 25?"


def thread_of(stdout: str) -> str:
    return stdout.split("--thread ")[1].split()[0]


def test_a_tool_call_is_edited_in_another_process(lab: Lab) -> None:
    asked = lab.run("ask", "--approve-tools", "--max-attempts", "1", SUM)
    assert asked.returncode == 3, asked.stderr
    assert "calculator(expression=17 + 25)" in asked.stdout and "--decision approve|edit|respond|reject" in asked.stdout

    edited = ("--decision", "edit", "--args", '{"expression": "17 + 25"}')
    events = lab.events("--resume", "--thread", thread_of(asked.stdout), *edited)
    called = next(e["data"] for e in events if e["event"] == "node_end" and e["data"]["node"] == "call_tools")
    assert called["update"]["scratch"][0]["content"] == "42"
    assert "42" in events[-1]["data"]["output"]


def test_a_load_is_rejected_in_another_process(lab: Lab) -> None:
    asked = lab.run("ask", "--approve-load", "1KB", SUM)
    assert asked.returncode == 3, asked.stderr
    assert "demo as standard takes" in asked.stdout and "--decision approve|edit|reject" in asked.stdout

    undecided = lab.run_here("ask", "--resume", "--thread", thread_of(asked.stdout))
    assert undecided[0] == 2 and "approve, edit, reject" in undecided[1]
    wrong = lab.run_here("ask", "--resume", "--decision", "edit", "--answer", "42")
    assert wrong[0] == 2 and '"model" or "strategy"' in wrong[1]

    rejected = lab.run("ask", "--resume", "--decision", "reject", "--hint", "not now")
    assert rejected.returncode == 0, rejected.stderr
    assert "reject demo" in rejected.stdout and "(no answer)" in rejected.stdout


def test_what_is_no_answer_is_told_and_asked_again_on_the_terminal(lab: Lab) -> None:
    with on_terminal(lab, "ask", "--approve-load", "1KB", "--max-attempts", "1", SUM) as terminal:
        terminal.wait_for("(approve)")
        terminal.type("edit")
        terminal.wait_for("(demo)")
        terminal.type("gpt-9")
        terminal.wait_for("(standard)")
        terminal.type("")
        terminal.wait_for("gpt-9")
        terminal.wait_for("Decision")
        terminal.type("reject")
        terminal.wait_for("(no answer)")
        assert terminal.popen.wait(60) == 0


def test_ctrl_c_at_a_question_ends_at_once_and_the_run_goes_on_later(lab: Lab) -> None:
    with on_terminal(lab, "ask", "--approve-load", "1KB", SUM) as terminal:
        terminal.wait_for("(approve)")
        terminal.interrupt()
        terminal.wait_for("--resume --thread")
        assert terminal.popen.wait(60) == 130
    rejected = lab.run("ask", "--resume", "--decision", "reject")
    assert rejected.returncode == 0 and "(no answer)" in rejected.stdout, rejected.stderr


@pytest.fixture
def client(shared_server: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.address(), timeout=60) as opened:
        yield opened


def test_a_chat_front_end_approves_a_tool_call(client: httpx.Client) -> None:
    body = {"prompt": SUM, "model": "demo", "approve_tools": True, "max_attempts": 1}
    asked = client.post("/orchestrate", json=body).json()
    (pending,) = asked["interrupts"]
    assert pending["value"]["action_requests"][0]["args"] == {"expression": "17 + 25"}
    answer = {"thread_id": asked["thread_id"], "resume": True, "interrupt_id": pending["interrupt_id"]}
    done = client.post("/orchestrate", json={**answer, "decision": {"decisions": [{"type": "approve"}]}}).json()
    assert done["status"] == "success" and "42" in done["output"]


def test_a_wrong_answer_is_422_with_the_choices_and_the_question_stays(client: httpx.Client) -> None:
    body = {"prompt": SUM, "model": "demo", "approve_tools": True, "max_attempts": 1}
    answer = {"thread_id": client.post("/orchestrate", json=body).json()["thread_id"], "resume": True}
    for wrong, status, said in (
        ("retry", 422, "approve, edit, respond, reject"),
        ({"decisions": []}, 422, "1 calls wait"),
        ({"decision": "edit", "args": {"x": 1}}, 422, "it takes: expression"),
        ([1], 422, "decision"),
        (None, 409, "approve, edit, respond, reject"),
    ):
        refused = client.post("/orchestrate", json={**answer, "decision": wrong})
        assert refused.status_code == status and said in refused.json()["detail"], refused.text
    done = client.post("/orchestrate", json={**answer, "decision": {"decision": "respond", "message": "42"}}).json()
    assert done["status"] == "success"


def test_a_rejected_load_is_a_result_over_http(client: httpx.Client) -> None:
    """On a model of its own, which no other test of this server loads."""
    body = {"prompt": SUM, "model": "slow", "approve_load_over": 0, "max_attempts": 1}
    asked = client.post("/orchestrate", json=body).json()
    assert asked["interrupts"][0]["value"]["load_bytes"] > 0
    done = client.post(
        "/orchestrate", json={"thread_id": asked["thread_id"], "resume": True, "decision": "reject"}
    ).json()
    assert (done["output"], done["passed"], done["decided_by"]) == ("", False, "human")
    assert done["reasons"][0]["name"] == "load_rejected"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "--decision", "edit"], "--answer, --args"),
        (["--resume", "--decision", "maybe"], "accept, edit, retry, reject"),
        (["--resume", "--decision", "edit", "--args", "["], "--args: not JSON"),
        (["--hint", "x", "hi"], "--hint belongs to a decision"),
        (["--approve-load", "big", "hi"], "'big' is not a size"),
        (["--judge", "gpt-9", "hi"], "gpt-9"),
        (["--tools", "shell", "hi"], "calculator"),
    ],
)
def test_what_no_run_would_take_is_one_line_and_exit_code_2(lab: Lab, arguments: list[str], said: str) -> None:
    code, line = lab.run_here("ask", *arguments)
    assert code == 2 and said in line and "\n" not in line, line
