"""Questions of a run on the terminal: shown, asked, and answered by options."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from nodes.humans.decisions import SCORE, TOOLS, question, read_answer
from nodes.humans.load import load_question
from server.cli.questions import Asker, decision_of, question_text
from server.cli.view import RunView, describe
from server.streaming.events import Event
from state.errors import BadRequest
from state.models import Sampling
from state.resources import Reading
from state.tasks import Decision, LoadDecision, Plan

READING = Reading(device="cpu", ram_total_bytes=2**33, ram_free_bytes=2**32, budget_bytes=2**32)
PLAN = Plan(
    attempt=1,
    model="big",
    strategy="standard",
    sampling=Sampling(),
    load_bytes=2**31,
    notes=("4-bit [of many]",),
    reading=READING,
)
REASONS = [{"name": "refusal", "evidence": "", "weight": 0.5}]
SCORED = question("score", "?", SCORE, [("answer", {"answer": "41"}, "")], answer="[41]", score=0.1, reasons=REASONS)
LOADING = load_question(PLAN, 2**30)
HIDING = question("tools", "?", TOOLS, [("calculator", {"expression": "\x1b[2K\u202e6\n7"}, "")])
CALLING = question("tools", "?", TOOLS, [("calculator", {"expression": "6 * 7"}, ""), ("convert", {"value": 5}, "")])


class Keyboard(io.StringIO):
    """Gives a line without its end, and EOFError after the last, as `input` does."""

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline()
        if not line:
            raise EOFError
        return line.rstrip("\n")


def asked_on_a_terminal(value: Any, *typed: str) -> object:
    console = Console(file=io.StringIO(), force_terminal=True)
    return Asker(console, Keyboard("".join(f"{line}\n" for line in typed))).decide(value)


@pytest.mark.parametrize(
    ("value", "typed", "said"),
    [
        (SCORED, [""], {"decision": "accept"}),
        (SCORED, ["maybe", "reject"], {"decision": "reject"}),
        (SCORED, ["edit", "", "42"], {"decision": "edit", "answer": "42"}),
        (SCORED, ["retry", ""], {"decision": "retry", "hint": ""}),
        (LOADING, [""], {"decision": "approve"}),
        (LOADING, ["edit", "small", ""], {"decision": "edit", "model": "small", "strategy": "standard"}),
        (CALLING, ["", ""], {"decisions": [{"type": "approve"}, {"type": "approve"}]}),
        (
            CALLING,
            ["edit", "6 * 8", "edit", "7"],
            {
                "decisions": [
                    {"type": "edit", "edited_action": {"name": "calculator", "args": {"expression": "6 * 8"}}},
                    {"type": "edit", "edited_action": {"name": "convert", "args": {"value": 7}}},
                ]
            },
        ),
        (
            CALLING,
            ["respond", "42", "reject", "no"],
            {"decisions": [{"type": "respond", "message": "42"}, {"type": "reject", "message": "no"}]},
        ),
        ({"size": "?"}, ['{"size": 7}'], {"size": 7}),
        ("what?", ["this"], "this"),
    ],
)
def test_what_is_typed_is_an_answer_that_the_run_takes(value: Any, typed: list[str], said: object) -> None:
    assert asked_on_a_terminal(value, *typed) == said
    assert read_answer(value, said) is not None or "about" not in value


@pytest.mark.parametrize("hidden", ["\x1b[2K", "\u202e", "\r"])
def test_what_a_model_made_up_cannot_drive_the_terminal(hidden: str) -> None:
    made_up = question("tools", "?", TOOLS, [("calculator", {f"a{hidden}": f"6{hidden}7"}, "")])
    assert hidden not in question_text(made_up)
    screen = io.StringIO()
    asker = Asker(Console(file=screen, force_terminal=True), Keyboard("edit\n\n"))
    taken = asker.decide(made_up)
    assert taken["decisions"][0]["edited_action"]["args"] == {f"a{hidden}": f"6{hidden}7"}  # type: ignore[index]
    assert hidden not in screen.getvalue()


def test_evidence_is_one_line_that_cannot_drive_the_terminal() -> None:
    screen = io.StringIO()
    reason = {"name": "repetition", "evidence": "'\x1b[2K\n[bold]x' stands 9 times", "weight": 0.8}
    update = {"verdicts": [{"score": 0.2, "reasons": [reason]}]}
    data = {"node": "validate_answer", "seconds": 0.1, "update": update, "error": None}
    RunView(Console(file=screen, width=200)).show(Event("node_end", data))
    assert screen.getvalue().endswith("score 0.20 · repetition: '␛[2K [bold]x' stands 9 times\n")


def test_ctrl_d_answers_nothing() -> None:
    with pytest.raises(EOFError):
        asked_on_a_terminal(SCORED)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (SCORED, ["answer: [41]", "score 0.1: refusal"]),
        (LOADING, ["big as standard takes 2.0 GiB", "free 4.0 GiB, budget 4.0 GiB", "4-bit [of many]"]),
        (CALLING, ["calculator(expression=6 * 7)", "convert(value=5)"]),
        (HIDING, [r"calculator(expression=\x1b[2K\u202e6\n7)"]),
        ({**SCORED, "error": "not [that]"}, ["not [that]"]),
        ({"size": "[?]"}, ['The run asks: {"size": "[?]"}']),
        ("[what]", ["[what]"]),
    ],
)
def test_a_question_is_shown_with_what_it_is_about(value: Any, parts: list[str]) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(question_text(value))
    assert isinstance(console.file, io.StringIO)
    for part in parts:
        assert part in console.file.getvalue()


@pytest.mark.parametrize(
    ("options", "value", "read"),
    [
        ({"word": "Accept"}, SCORED, Decision(decision="accept")),
        ({"word": "edit", "answer": "42"}, SCORED, Decision(decision="edit", answer="42")),
        ({"word": "retry", "hint": "x", "model": "big"}, SCORED, Decision(decision="retry", hint="x")),
        (
            {"word": "edit", "model": "small"},
            LOADING,
            LoadDecision(decision="edit", model="small"),
        ),
        (
            {"word": "edit", "strategy": "optimized"},
            LOADING,
            LoadDecision(decision="edit", model="big", strategy="optimized"),
        ),
        ({"word": ' {"decisions": [{"type": "approve"}]}'}, SCORED, Decision(decision="accept")),
    ],
)
def test_options_spell_an_answer(options: dict[str, str], value: Any, read: object) -> None:
    assert read_answer(value, decision_of(options.pop("word"), **options)) == read


def test_the_arguments_of_a_call_are_given_as_json() -> None:
    said = decision_of("edit", args='{"expression": "1"}')
    assert said == {"decision": "edit", "args": {"expression": "1"}}


@pytest.mark.parametrize(("word", "said"), [("7", 7), ('"by hand"', "by hand"), ("[1, 2]", [1, 2]), ("false", False)])
def test_a_question_of_a_plugin_may_be_answered_with_any_json(word: str, said: object) -> None:
    assert decision_of(word) == said


def test_without_a_decision_there_is_none() -> None:
    assert decision_of(None, model="demo", strategy="standard") is None


@pytest.mark.parametrize(
    ("word", "options", "said"),
    [
        ("maybe", {}, "accept, edit, retry, reject, approve, respond"),
        ("edit", {}, "--answer, --args"),
        ("edit", {"args": "[1]"}, "--args: give a JSON object"),
        ("edit", {"args": "{"}, "--args: not JSON"),
        ("edit", {"args": '{"a":' * 100_000}, "--args: not JSON"),
        ("{", {}, "--decision: not JSON"),
        ('{"decision": "edit"}', {"answer": "42"}, "--answer: --decision is a whole answer"),
        (None, {"answer": "42"}, "--answer belongs to a decision"),
        (None, {"hint": "x"}, "--hint belongs to a decision"),
    ],
)
def test_what_no_run_would_take_is_refused_at_once(word: str | None, options: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest) as told:
        decision_of(word, **options)
    assert said in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("node", "update", "said"),
    [
        ("approve_load", {"loads": [{"decision": "edit", "model": "small", "strategy": None}]}, "edit small"),
        ("approve_tools", {"scratch": []}, ""),
        ("approve_tools", {"scratch": [{"content": "The user rejected this call."}]}, "The user rejected this call."),
    ],
)
def test_what_a_human_decided_is_told_in_the_line_of_the_node(node: str, update: dict, said: str) -> None:
    assert describe(node, update) == said
