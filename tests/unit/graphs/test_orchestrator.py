"""The orchestrator's map on scripted models: tools, retries, bounds, humans, best attempt."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs import direct
from graphs.catalog import BUILDERS, RECURSION_LIMIT, builder_of
from graphs.orchestrator import build
from state.context import Context
from state.errors import BadRequest, NoMemory, NotFound, Unavailable
from tests.fakes import FakeModels, fake_services, tool_call

SUM = {"messages": [{"role": "user", "content": "What is 17 + 25?"}]}
THREAD: dict[str, Any] = {"configurable": {"thread_id": "1"}, "recursion_limit": RECURSION_LIMIT}


def compiled(models: FakeModels) -> Any:
    return build(fake_services(models)).compile(InMemorySaver())


async def test_arithmetic_goes_through_the_calculator() -> None:
    models = FakeModels(tool_call("17 + 25"), "17 + 25 = 42")
    final = await compiled(models).ainvoke(SUM, THREAD, context=Context())
    result = final["result"]
    assert result.output == "17 + 25 = 42" and result.score == 1.0 and result.attempts == 1
    assert [message.type for message in models.asked[1]] == ["system", "human", "ai", "tool"]
    assert models.asked[1][-1].text == "42"
    assert [message.type for message in final["messages"]] == ["human", "ai"]


async def test_a_rejected_answer_is_tried_again_with_the_reason() -> None:
    models = FakeModels("41", "17 + 25 = 42")
    final = await compiled(models).ainvoke(SUM, THREAD)
    assert final["result"].output == "17 + 25 = 42" and final["result"].attempts == 2
    assert "rejected: the arithmetic is wrong" in models.asked[1][-1].text
    assert "the value is 42" in models.asked[1][-1].text


async def test_attempts_are_bounded_and_the_best_is_kept() -> None:
    models = FakeModels("I'm sorry, it is 42", "41", "40", "never asked")
    final = await compiled(models).ainvoke(SUM, THREAD, context=Context(max_attempts=3))
    result = final["result"]
    assert len(models.asked) == 3 and result.attempts == 3
    assert result.output == "I'm sorry, it is 42" and not result.passed and result.score == 0.5
    assert [reason.name for reason in result.reasons] == ["refusal"]


async def test_tool_rounds_are_bounded() -> None:
    models = FakeModels(tool_call("1 + 1"), tool_call("2 + 2"), tool_call("3 + 3"), "42")
    final = await compiled(models).ainvoke(SUM, THREAD, context=Context(max_tool_rounds=2, max_attempts=2))
    assert final["result"].attempts == 2  # the third call was not offered tools, so it counted as an empty answer
    assert final["result"].output == "42"


async def test_a_failing_tool_is_told_to_the_model() -> None:
    models = FakeModels(tool_call("1/0"), "17 + 25 = 42")
    final = await compiled(models).ainvoke(SUM, THREAD)
    assert "division by zero" in models.asked[1][-1].text
    assert final["result"].output == "17 + 25 = 42"


async def test_a_tool_that_does_not_exist_is_told_to_the_model() -> None:
    call = {"name": "shell", "args": {}, "id": "1", "type": "tool_call"}
    models = FakeModels(AIMessage("", tool_calls=[call]), "42")
    await compiled(models).ainvoke(SUM, THREAD)
    assert "shell is not a valid tool" in models.asked[1][-1].text


async def test_the_longest_run_stays_below_the_recursion_limit() -> None:
    script = [reply for _ in range(10) for reply in (*[tool_call("1 + 1")] * 10, "wrong")]
    context = Context(max_attempts=10, max_tool_rounds=10)
    final = await compiled(FakeModels(*script)).ainvoke(SUM, THREAD, context=context)
    assert final["result"].attempts == 10


@pytest.mark.parametrize(
    ("reply", "output", "passed"),
    [("accept", "41", True), ({"decision": "edit", "answer": "It is 42"}, "It is 42", True), ("reject", "", False)],
)
async def test_a_human_decides_when_the_score_stays_low(reply: Any, output: str, passed: bool) -> None:
    graph = compiled(FakeModels("41"))
    context = Context(approve=True, max_attempts=1)
    asked = await graph.ainvoke(SUM, THREAD, context=context)
    assert asked["__interrupt__"][0].value["answer"] == "41"
    final = await graph.ainvoke(Command(resume=reply), THREAD, context=context)
    assert (final["result"].output, final["result"].passed, final["result"].decided_by) == (output, passed, "human")
    assert [message.text for message in final["messages"]] == ["What is 17 + 25?", *([output] if output else [])]


async def test_a_human_may_ask_for_another_try_and_is_asked_again() -> None:
    models = FakeModels("41", "40", "17 + 25 = 42")
    graph = compiled(models)
    context = Context(approve=True, max_attempts=1)
    await graph.ainvoke(SUM, THREAD, context=context)
    again = await graph.ainvoke(
        Command(resume={"decision": "retry", "hint": "use your fingers"}), THREAD, context=context
    )
    assert "use your fingers" in models.asked[1][-1].text
    assert again["__interrupt__"][0].value["answer"] == "41"
    final = await graph.ainvoke(Command(resume="retry"), THREAD, context=context)
    assert final["result"].output == "17 + 25 = 42" and final["result"].decided_by == "validator"


async def test_an_answer_that_is_no_decision_is_asked_again() -> None:
    graph = compiled(FakeModels("41"))
    context = Context(approve=True, max_attempts=1)
    await graph.ainvoke(SUM, THREAD, context=context)
    again = await graph.ainvoke(Command(resume="maybe"), THREAD, context=context)
    assert "accept" in again["__interrupt__"][0].value["error"]
    assert (await graph.ainvoke(Command(resume="accept"), THREAD, context=context))["result"].output == "41"


async def test_the_next_turn_starts_afresh_and_sees_the_last() -> None:
    models = FakeModels("41", "17 + 25 = 42", "I see, 7 * 6 = 42")
    graph = compiled(models)
    await graph.ainvoke(SUM, THREAD)
    final = await graph.ainvoke({"messages": [{"role": "user", "content": "What is 7 * 6?"}]}, THREAD)
    assert final["result"].attempts == 1
    assert [message.text for message in models.asked[2][1:]] == ["What is 17 + 25?", "17 + 25 = 42", "What is 7 * 6?"]


async def test_what_is_unavailable_now_is_tried_again_by_langgraph() -> None:
    class Busy(FakeModels):
        refusals = 2

        def chat(self, name: str, **settings: Any) -> Any:
            if settings.get("sampling") and self.refusals:
                self.refusals -= 1
                raise Unavailable("busy")
            return super().chat(name, **settings)

    final = await compiled(Busy("17 + 25 = 42")).ainvoke(SUM, THREAD)
    assert final["result"].attempts == 1


@pytest.mark.parametrize(
    ("messages", "context", "error"),
    [
        ([{"role": "user", "content": " "}], Context(), BadRequest),
        ([{"role": "user", "content": "hi"}], Context(model="gpt-9"), NotFound),
    ],
)
@pytest.mark.parametrize("name", sorted(BUILDERS))
async def test_bad_input_is_an_error_of_ours(name: str, messages: list, context: Context, error: type) -> None:
    graph = builder_of(name)(fake_services(FakeModels("x"))).compile()
    with pytest.raises(error):
        await graph.ainvoke({"messages": messages}, context=context)


async def test_a_model_that_never_fits_is_refused_before_it_is_asked() -> None:
    models = FakeModels("x", budget=10, needed=1_000)
    with pytest.raises(NoMemory):
        await compiled(models).ainvoke(SUM, THREAD)
    assert models.asked == []


async def test_direct_is_one_call_with_the_turns_before() -> None:
    models = FakeModels("Hello Ana", "Ana")
    graph = direct.build(fake_services(models)).compile(InMemorySaver())
    await graph.ainvoke({"messages": [{"role": "user", "content": "I am Ana"}]}, THREAD)
    final = await graph.ainvoke({"messages": [{"role": "user", "content": "Who am I?"}]}, THREAD)
    assert final["result"].output == "Ana" and final["result"].score is None
    assert [message.text for message in models.asked[1]] == ["I am Ana", "Hello Ana", "Who am I?"]


def test_an_unknown_graph_is_told_the_known_ones() -> None:
    with pytest.raises(NotFound, match="orchestrator, direct"):
        builder_of("nope")
