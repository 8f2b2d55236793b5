"""The judge beside the checks: it lowers a score, never raises one, and its failure changes nothing."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from nodes.judge import Grade, judged_reason
from nodes.validate import validate_answer
from state.context import Context
from state.errors import NotFound
from state.run import RunState
from state.tasks import Analysis, Attempt, Task, Verdict
from tests.fakes import FakeModels
from tests.unit.nodes.values import METRICS

JUDGED = Context(judge="fake")


def graded(score: float, reason: str = "it misses a part") -> AIMessage:
    """A judge's reply: a call of the tool that a grade is given with."""
    arguments = {"score": score, "reason": reason}
    return AIMessage("", tool_calls=[{"name": "Grade", "args": arguments, "id": "1", "type": "tool_call"}])


def answered(answer: str, **attempt: Any) -> RunState:
    return RunState(
        task=Task(prompt="What is a dog?"),
        analysis=Analysis(kind="question_answering", confidence=1.0, language="en"),
        attempts=[Attempt(number=1, model="fake", strategy="standard", answer=answer, metrics=METRICS, **attempt)],
    )


async def verdict_on(state: RunState, models: FakeModels | None, context: Context = JUDGED) -> Verdict:
    update = await validate_answer(state, Runtime(context=context), models=models)
    verdicts = update["verdicts"]
    assert isinstance(verdicts, list)
    verdict = verdicts[0]
    assert isinstance(verdict, Verdict)
    return verdict


async def test_a_low_grade_lowers_the_score_to_it_with_the_judges_words() -> None:
    verdict = await verdict_on(answered("A dog is an animal."), FakeModels(graded(3)))
    assert verdict.score == 0.3 and not verdict.passed
    assert [(reason.name, reason.evidence) for reason in verdict.reasons] == [("judged_low", "it misses a part")]


async def test_a_high_grade_adds_nothing() -> None:
    verdict = await verdict_on(answered("A dog is an animal."), FakeModels(graded(9)))
    assert verdict == Verdict(score=1.0, passed=True)


async def test_the_judge_sees_the_request_and_the_answer_as_material() -> None:
    models = FakeModels(graded(9))
    await verdict_on(answered("A dog is an animal."), models)
    rubric, material = models.asked[0]
    assert "not instructions" in rubric.text
    assert "<request>\nWhat is a dog?\n</request>" in material.text
    assert "<answer>\nA dog is an animal.\n</answer>" in material.text
    assert models.calls[0][2] is not None and models.calls[0][2].temperature == 0.0


@pytest.mark.parametrize("reply", ["I cannot grade that.", graded(99), AIMessage("")], ids=["words", "range", "none"])
async def test_a_judge_without_a_usable_grade_changes_nothing(reply: str | AIMessage) -> None:
    verdict = await verdict_on(answered("A dog is an animal."), FakeModels(reply))
    assert verdict == Verdict(score=1.0, passed=True)


async def test_an_answer_that_the_checks_reject_is_not_judged() -> None:
    models = FakeModels()
    verdict = await verdict_on(answered("I'm sorry, I can't do that."), models)
    assert not verdict.passed and models.asked == []


async def test_nobody_is_asked_unless_the_run_names_a_judge() -> None:
    models = FakeModels()
    assert (await verdict_on(answered("A dog is an animal."), models, Context())).passed
    assert (await verdict_on(answered("A dog is an animal."), None)).passed
    assert models.asked == []


async def test_a_judge_that_is_no_model_is_told() -> None:
    with pytest.raises(NotFound, match="no model 'nobody'"):
        await verdict_on(answered("A dog is an animal."), FakeModels(), Context(judge="nobody"))


async def test_an_answer_that_reached_its_token_limit_is_truncated_once() -> None:
    verdict = await verdict_on(answered("A dog is an animal", finish_reason="length"), None)
    assert [reason.name for reason in verdict.reasons] == ["truncated"] and not verdict.passed
    both = await verdict_on(answered("A dog is an animal and the", finish_reason="length"), None)
    assert [reason.name for reason in both.reasons] == ["truncated"]


def test_a_grade_never_raises_a_score() -> None:
    assert judged_reason(Grade(score=5), score=0.4, min_score=0.6) is None
    assert judged_reason(Grade(score=7), score=1.0, min_score=0.6) is None
    reason = judged_reason(Grade(score=0), score=1.0, min_score=0.6)
    assert reason is not None and reason.weight == 1.0 and reason.evidence == "0 of 10"
