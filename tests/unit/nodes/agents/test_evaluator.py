"""EvaluatorAgent: what it scores, and what it says of it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from nodes.agents.evaluator import EvaluatorKind, Material, material_of
from state.agent_ports import AgentCall
from state.errors import BadRequest, NotFound
from tests.fakes import FakeModels
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of

KIND = EvaluatorKind()
TASK = "What is the capital of France?"
GOOD = "The capital of France is Paris."


def crew(said: str, **results: Any) -> dict[str, Any]:
    return {"user_query": said, "context": {"task": TASK, "results": results, "shared": {}}}


@pytest.mark.parametrize(
    ("call", "material"),
    [
        (call_of(f"{TASK}\n\nwriter: {GOOD}", crew(GOOD, writer={"response": GOOD})), Material(TASK, GOOD)),
        (call_of(GOOD, crew(GOOD)), Material("", GOOD)),
        (call_of(f"{TASK}\n\nWriter: {GOOD}", {"writer": {"response": GOOD}}), Material(TASK, GOOD)),
        (
            call_of(f"{TASK}\n\na: one\n\nb: two", {"a": {"response": "one"}, "b": "two"}),
            Material(TASK, "one\n\ntwo"),
        ),
        (call_of("Is this right?", {"write": GOOD}, config={"prompt": "…"}), Material("Is this right?", GOOD)),
        (call_of("…", {"answer": GOOD, "request": TASK}), Material(TASK, GOOD)),
        (call_of("…", {"response": GOOD}), Material("", GOOD)),
    ],
    ids=["crew", "crew, first", "flow", "flow, two answers", "flow with a prompt", "said outright", "answer only"],
)
def test_what_is_scored(call: AgentCall, material: Material) -> None:
    assert material_of(call) == material


@pytest.mark.parametrize("given", [{}, {"write": ""}, {"write": {"response": " "}}, crew("")], ids=str)
def test_where_there_is_nothing_to_score_it_says_so(given: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="no answer to score"):
        material_of(call_of(TASK, given))


async def test_a_good_answer_passes_and_a_bad_one_is_rejected_with_the_reason() -> None:
    agent = KIND.make(spec_of(), needs_of())
    good = await agent.process(call_of(TASK, crew(GOOD, writer=GOOD)))
    assert (good.output["score"], good.output["passed"], good.output["reasons"]) == (1.0, True, [])
    assert good.text == good.output["response"] == "passed with 1"
    bad = await agent.process(call_of(TASK, crew(TASK, writer=TASK)))
    assert not bad.output["passed"] and bad.output["score"] < 0.6
    assert bad.output["reasons"][0]["name"] == "echo"
    assert bad.text.startswith("rejected with ") and "echo" in bad.text


async def test_a_judge_lowers_the_score_and_its_tokens_count() -> None:
    grade = {"name": "Grade", "args": {"score": 3, "reason": "too short"}, "id": "1", "type": "tool_call"}
    models = FakeModels(AIMessage("", tool_calls=[grade]))
    agent = KIND.make(spec_of(config={"judge": "fake"}), needs_of(models))
    reply = await agent.process(call_of(TASK, crew(GOOD, writer=GOOD)))
    assert (reply.output["score"], reply.output["passed"]) == (0.3, False)
    assert "too short" in reply.text and reply.model == "fake"
    assert (reply.input_tokens, reply.output_tokens) == (1, 0)


async def test_a_judge_that_is_no_model_is_refused() -> None:
    agent = KIND.make(spec_of(config={"judge": "nobody"}), needs_of())
    with pytest.raises(NotFound, match="nobody"):
        await agent.process(call_of(TASK, crew(GOOD, writer=GOOD)))


@pytest.mark.parametrize(("said", "following"), [(GOOD, "end"), (TASK, "writer")], ids=["passed", "failed"])
async def test_in_an_adaptive_crew_it_says_who_goes_on(said: str, following: str) -> None:
    config = {"next_if_passed": "end", "next_if_failed": "writer"}
    agent = KIND.make(spec_of(config=config), needs_of())
    asked = call_of(TASK, crew(said, writer=said), choices=("writer", "ana"))
    assert (await agent.process(asked)).next == following


@pytest.mark.parametrize("config", [{"min_score": 2}, {"min_score": "high"}, {"judge": ""}, {"judge": 1}], ids=str)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"config.{next(iter(config))}"):
        KIND.check(spec_of(config=config))
