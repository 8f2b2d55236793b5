"""Answers to interrupts: those that wait, those that do not, those that come twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from server.run_queue.answers import check_answer, ids_answered
from server.run_queue.shapes import NewRun
from state.errors import Conflict

ONE, TWO, WRONG = "1" * 32, "2" * 32, "f" * 32
ASKED: dict[str, Any] = {"task": [{"id": ONE, "value": "?"}], "other": [{"id": TWO, "value": "?"}]}


def run(resume: Any, strategy: Any = "enqueue", **kwargs: Any) -> NewRun:
    command = {"resume": resume, **kwargs.pop("command", {})}
    return NewRun(uuid4(), "asks", {"command": command, **kwargs}, multitask_strategy=strategy)


@pytest.mark.parametrize("answer", ["yes", 0, {"free": "form"}, {ONE: "a"}, {ONE: "a", TWO: "b"}, {}, []])
def test_an_answer_to_what_waits_is_taken(answer: Any) -> None:
    check_answer(run(answer), "interrupted", ASKED, [])


def test_a_run_without_an_answer_is_not_looked_at() -> None:
    check_answer(NewRun(uuid4(), "asks", {"input": {}, "command": None}), "idle", {}, [])
    check_answer(run(None), "idle", {}, [])


@pytest.mark.parametrize("answer", [{WRONG: "a"}, {ONE: "a", WRONG: "b"}])
def test_a_wrong_id_is_refused_with_those_that_wait(answer: Any) -> None:
    with pytest.raises(Conflict, match=f"'{WRONG}' waits on this thread; what waits: {ONE}, {TWO}"):
        check_answer(run(answer), "interrupted", ASKED, [])


@pytest.mark.parametrize("answer", ["again", {ONE: "again"}])
def test_an_answer_where_nothing_waits_is_refused(answer: Any) -> None:
    with pytest.raises(Conflict, match="nothing on this thread waits"):
        check_answer(run(answer), "idle", {}, [])


def test_a_breakpoint_takes_any_answer() -> None:
    check_answer(run("go on"), "interrupted", {}, [])
    check_answer(run({ONE: "go on"}), "interrupted", {}, [])


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("a", {ONE: 1}), ({ONE: 1}, "b"), ({ONE: 1}, {ONE: 2})])
def test_a_second_answer_is_refused_while_the_first_is_at_work(first: Any, second: Any) -> None:
    with pytest.raises(Conflict, match="brings an answer already"):
        check_answer(run(second), "busy", ASKED, [None, first])


def test_answers_to_two_questions_may_be_at_work_together() -> None:
    check_answer(run({TWO: "b"}), "busy", ASKED, [{ONE: "a"}])


def test_an_answer_that_goes_back_or_pushes_others_aside_is_taken() -> None:
    check_answer(run("again", checkpoint={"checkpoint_id": "1"}), "idle", {}, [])
    check_answer(run("again", "rollback"), "busy", ASKED, ["first"])
    check_answer(run("again", command={"goto": "ask"}), "idle", {}, [])


def test_what_looks_like_ids_is_read_as_ids_only_where_all_keys_do() -> None:
    assert ids_answered({ONE: 1, "name": 2}) is None
    assert ids_answered({ONE: 1}) == {ONE}
