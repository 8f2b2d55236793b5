"""Every shape of an answer, read into one value or refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nodes.humans.decisions import LOAD, SCORE, TOOLS, CallDecision, question, read_answer
from state.tasks import Decision, LoadDecision

SCORED = question("score", "?", SCORE, [("answer", {"answer": "41"}, "score 0.10")], answer="41")
LOADING = question("load", "?", LOAD, [("load_model", {"model": "big", "strategy": "standard"}, "5 GiB")])
CALL = ("calculator", {"expression": "6 * 7"}, "arithmetic")
CALLING = question("tools", "?", TOOLS, [CALL], tools=["calculator", "convert"])
TWO_CALLS = question("tools", "?", TOOLS, [CALL, ("convert", {"value": 5}, "units")], tools=["calculator", "convert"])


def front_end(*decisions: dict[str, Any]) -> dict[str, Any]:
    return {"decisions": list(decisions)}


def edited(name: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": name, "args": args}}


def call(decision: Any, message: str = "", name: str = "calculator", args: dict | None = None) -> CallDecision:
    return CallDecision(decision=decision, name=name, args=args or {"expression": "6 * 7"}, message=message)


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("accept", Decision(decision="accept")),
        (" Approve \n", Decision(decision="accept")),
        ({"decision": "accept"}, Decision(decision="accept")),
        ({"decision": "accept", "answer": None, "hint": None}, Decision(decision="accept")),
        ({"type": "approve"}, Decision(decision="accept")),
        (front_end({"type": "approve"}), Decision(decision="accept")),
        ({"decision": "edit", "answer": "42"}, Decision(decision="edit", answer="42")),
        ({"decision": "edit", "args": {"answer": "42"}}, Decision(decision="edit", answer="42")),
        (front_end(edited("answer", {"answer": "42"})), Decision(decision="edit", answer="42")),
        ("retry", Decision(decision="retry")),
        ({"decision": "retry", "hint": "use your fingers"}, Decision(decision="retry", hint="use your fingers")),
        ({"decision": "retry", "message": " "}, Decision(decision="retry")),
        (front_end({"type": "respond", "message": "be brief"}), Decision(decision="retry", hint="be brief")),
        ("reject", Decision(decision="reject")),
        (front_end({"type": "reject", "message": "wrong"}), Decision(decision="reject", hint="wrong")),
    ],
)
def test_what_becomes_of_a_low_score(reply: Any, read: Decision) -> None:
    assert read_answer(SCORED, reply) == read


@pytest.mark.parametrize(
    ("reply", "decision", "model", "strategy"),
    [
        ("approve", "approve", "big", "standard"),
        ("accept", "approve", "big", "standard"),
        (front_end({"type": "approve"}), "approve", "big", "standard"),
        ({"decision": "edit", "model": "small"}, "edit", "small", None),
        ({"decision": "edit", "strategy": "optimized"}, "edit", "big", "optimized"),
        ({"decision": "edit", "args": {"model": "small", "strategy": None}}, "edit", "small", None),
        (front_end(edited("load_model", {"model": "s", "strategy": "streaming"})), "edit", "s", "streaming"),
        ("reject", "reject", "big", "standard"),
    ],
)
def test_what_becomes_of_a_load(reply: Any, decision: Any, model: str, strategy: Any) -> None:
    assert read_answer(LOADING, reply) == LoadDecision(decision=decision, model=model, strategy=strategy)


def test_why_a_load_is_rejected_is_kept() -> None:
    read = read_answer(LOADING, front_end({"type": "reject", "message": "not now"}))
    assert isinstance(read, LoadDecision) and read.message == "not now"


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("approve", call("approve")),
        (front_end({"type": "approve"}), call("approve")),
        ({"decision": "edit", "args": {"expression": "1"}}, call("edit", args={"expression": "1"})),
        (front_end(edited("calculator", {"expression": "1"})), call("edit", args={"expression": "1"})),
        (front_end(edited("convert", {"value": 1})), call("edit", name="convert", args={"value": 1})),
        ("reject", call("reject")),
        ({"decision": "reject", "message": "do not"}, call("reject", "do not")),
        ({"decision": "respond", "hint": "42"}, call("respond", "42")),
        (front_end({"type": "respond", "message": "42"}), call("respond", "42")),
    ],
)
def test_what_becomes_of_a_tool_call(reply: Any, read: CallDecision) -> None:
    assert read_answer(CALLING, reply) == (read,)


def test_several_calls_are_decided_one_by_one_or_all_alike() -> None:
    second = call("reject", name="convert", args={"value": 5})
    assert read_answer(TWO_CALLS, front_end({"type": "approve"}, {"type": "reject"})) == (call("approve"), second)
    assert read_answer(TWO_CALLS, "reject") == (call("reject"), second)


HOSTILE = [
    *("", "maybe", "x" * 100_000, "\x00\ud800\u202e", 7, 0.5, True, None, [], ["accept"], {}, {1: 2}, {"x": "accept"}),
    *({"decision": word} for word in (None, 7, [], {}, "maybe", ["accept"])),
    *({"decisions": each} for each in ([], None, "approve", {"type": "approve"}, [[]], [None], [{}])),
    {"decision": "accept", "x": 1},
    {"decision": "edit"},
    {"type": []},
    {"type": "edit"},
    {"type": "edit", "edited_action": "x"},
    {"type": "edit", "edited_action": {"name": 7, "args": []}},
    {"decision": "edit", "args": json.loads('{"a":' * 900 + "1" + "}" * 900)},
]


@pytest.mark.parametrize("asked", [SCORED, LOADING, TWO_CALLS], ids=["score", "load", "tools"])
@pytest.mark.parametrize("reply", HOSTILE, ids=range(len(HOSTILE)))
def test_anything_else_is_refused_in_one_short_line(asked: dict, reply: Any) -> None:
    with pytest.raises(ValueError) as told:
        read_answer(asked, reply)
    assert 0 < len(str(told.value)) < 500 and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("asked", "reply", "said"),
    [
        (SCORED, "maybe", "accept|edit|retry|reject"),
        (SCORED, 7, 'int is no decision; send {"decision": "accept|edit|retry|reject"}'),
        (CALLING, front_end([]), "list is no decision"),  # type: ignore[arg-type]
        (SCORED, {"decision": "edit", "answer": " "}, "corrected text"),
        (SCORED, front_end(edited("answer", {"text": "42"})), "corrected text"),
        (SCORED, front_end(edited("calculator", {"answer": "42"})), "only 'answer'"),
        (SCORED, front_end({"type": "approve"}, {"type": "approve"}), "one thing is asked, 2 decisions"),
        (LOADING, "retry", "approve, edit, reject"),
        (LOADING, {"decision": "respond", "message": "x"}, "approve, edit, reject"),
        (LOADING, {"decision": "edit"}, '"model" or "strategy"'),
        (LOADING, {"decision": "edit", "strategy": "fast"}, "strategy"),
        (LOADING, {"decision": "edit", "args": {"model": 7}}, "model"),
        (LOADING, {"decision": "edit", "args": {"bytes": 7}}, "bytes cannot be set"),
        (CALLING, "retry", "approve, edit, respond, reject"),
        (CALLING, {"decision": "edit"}, "corrected arguments"),
        (CALLING, "respond", "what it answers"),
        (CALLING, front_end(edited("shell", {})), "'shell' is not offered; name one of: calculator, convert"),
        (CALLING, front_end(), "1 calls wait, 0 decisions came"),
        (TWO_CALLS, front_end({"type": "approve"}), "2 calls wait, 1 decisions came"),
        (TWO_CALLS, {"decision": "edit", "args": {}}, "one for each"),
        (TWO_CALLS, {"decision": "respond", "message": "x"}, "one for each"),
    ],
)
def test_a_wrong_answer_is_told_what_is_taken(asked: dict, reply: Any, said: str) -> None:
    with pytest.raises(ValueError) as told:
        read_answer(asked, reply)
    assert said in str(told.value)


@pytest.mark.parametrize("asked", [None, "what?", [], {}, {"about": "colour"}, {"about": []}])
def test_a_question_that_is_not_ours_takes_any_answer(asked: Any) -> None:
    assert read_answer(asked, {"anything": 1}) is None


@pytest.mark.parametrize("asked", [SCORED, LOADING, CALLING, TWO_CALLS])
def test_a_question_is_what_chat_front_ends_draw(asked: dict[str, Any]) -> None:
    assert json.loads(json.dumps(asked)) == asked
    pairs = zip(asked["action_requests"], asked["review_configs"], strict=True)
    for request, config in pairs:
        assert set(request) == {"name", "args", "description"} and isinstance(request["args"], dict)
        assert config["action_name"] == request["name"]
        assert set(config["allowed_decisions"]) <= {"approve", "edit", "reject", "respond"}
    # Every decision that a front end is told it may send is taken.
    for kind in asked["review_configs"][0]["allowed_decisions"]:
        filled = {"type": kind, "message": "x", "edited_action": {"args": {"answer": "x", "model": "m"}}}
        if asked is LOADING:
            filled["edited_action"] = {"args": {"model": "m"}}
        if kind != "edit":
            del filled["edited_action"]
        assert read_answer(asked, front_end(*[filled] * len(asked["action_requests"]))) is not None
