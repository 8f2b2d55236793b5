"""Each remedy for its reason, seen in what the model's next call is: words, settings, tools, form, model, parts.

The graph's own monitor, executor, tools and routes; the validator finds what the test says, so that every reason can be
had. Those that a plain answer brings about go through the whole orchestrator below.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from graphs.orchestrator import build
from graphs.services import lab_tools
from nodes.analyze import analyze_task
from nodes.execute import execute
from nodes.history import read_history
from nodes.monitor import monitor_resources
from nodes.routes import after_execute, after_validate
from nodes.summarise import summarise
from state.context import Context
from state.errors import BadRequest
from state.models import ModelCard, Sampling, Strategy
from state.run import RunInput, RunOutput, RunState
from state.tasks import Reason, Verdict
from tests.fakes import CARD, FakeModels, fake_services, tool_call

LARGE = CARD.model_copy(update={"name": "large", "parameters": 10**9})
PASSED = Verdict(score=1.0, passed=True)
RECURSION: Any = {"recursion_limit": 200}


def found(*names: str, score: float = 0.1, evidence: str = "") -> Verdict:
    return Verdict(score=score, passed=False, reasons=tuple(Reason(name=name, evidence=evidence) for name in names))


def retrying(models: FakeModels, verdicts: Sequence[Verdict]) -> Any:
    """The orchestrator's loop with a validator that gives these verdicts in turn."""
    given, tools = iter(verdicts), lab_tools()

    async def validate_answer(state: RunState) -> dict[str, object]:
        return {"verdicts": [next(given)]}

    async def monitor(state: RunState, runtime: Any) -> dict[str, object]:
        return await monitor_resources(state, runtime, models=models)

    async def answer(state: RunState, runtime: Any) -> dict[str, object]:
        return await execute(state, runtime, models=models, tools=tools)

    graph = StateGraph(RunState, context_schema=Context, input_schema=RunInput, output_schema=RunOutput)
    graph.add_node("read_history", read_history)
    graph.add_node("analyze_task", analyze_task)
    graph.add_node("monitor_resources", monitor)
    graph.add_node("execute", answer)
    graph.add_node("call_tools", ToolNode(tools, messages_key="scratch"))
    graph.add_node("validate_answer", validate_answer)
    graph.add_node("summarise", summarise)
    graph.add_edge(START, "read_history")
    graph.add_edge("read_history", "analyze_task")
    graph.add_edge("analyze_task", "monitor_resources")
    graph.add_edge("monitor_resources", "execute")
    graph.add_conditional_edges("execute", after_execute, ["call_tools", "validate_answer"])
    graph.add_edge("call_tools", "execute")
    graph.add_conditional_edges("validate_answer", after_validate, ["monitor_resources", "summarise"])
    return graph.compile()


async def retried(
    models: FakeModels, *verdicts: Verdict, prompt: str = "Tell me something", **context: Any
) -> dict[str, Any]:
    asked = {"messages": [{"role": "user", "content": prompt}]}
    settings = Context(**{"max_attempts": len(verdicts), **context})
    result: dict[str, Any] = await retrying(models, verdicts).ainvoke(
        asked, RECURSION, context=settings, output_keys=["result", "attempts"]
    )
    return result


def samplings(models: FakeModels) -> list[Sampling]:
    return [sampling for _, _, sampling in models.calls if sampling is not None]


def words(models: FakeModels, call: int) -> list[str]:
    return [message.text for message in models.asked[call]]


SAID = ["echo", "template_leak", "wrong_language", "refusal", "no_code", "malformed_code", "missing_name"]
SAID += ["malformed_json", "missing_keys", "broken_constraint", "long_summary", "untranslated", "wrong_arithmetic"]
SAID += ["wrong_result", "off_topic", "judged_low", "of_a_plug_in"]


@pytest.mark.parametrize("reason", SAID)
async def test_the_reason_is_said_after_the_answer_it_is_about(reason: str) -> None:
    models = FakeModels("first", "second")
    await retried(models, found(reason, evidence="the proof"), PASSED)
    assert words(models, 1)[1:3] == ["Tell me something", "first"]
    told = words(models, 1)[3]
    assert told.startswith("Your last answer was rejected: ")
    assert ("the proof" in told) == (reason not in ("echo", "template_leak", "refusal"))


@pytest.mark.parametrize("reason", ["empty", "truncated", "repetition", "gibberish"])
async def test_a_model_that_has_lost_its_way_is_asked_afresh(reason: str) -> None:
    models = FakeModels("first", "second")
    await retried(models, found(reason), PASSED)
    assert words(models, 1) == words(models, 0) and samplings(models)[1] != samplings(models)[0]


@pytest.mark.parametrize("reason", ["empty", "repetition", "gibberish", "template_leak", "echo", "of_a_plug_in"])
async def test_the_temperature_is_raised(reason: str) -> None:
    models = FakeModels("a", "b", "c", "d", "e")
    await retried(models, *[found(reason)] * 4, PASSED)
    assert [sampling.temperature for sampling in samplings(models)][:3] in ([0.0, 0.7, 0.9], [0.0, 0.7, 0.35])
    assert len({sampling.model_dump_json() for sampling in samplings(models)}) == 5


async def test_the_temperature_is_lowered_for_noise() -> None:
    models = FakeModels("a", "b")
    await retried(models, found("gibberish"), PASSED, temperature=0.8)
    assert [sampling.temperature for sampling in samplings(models)] == [0.8, 0.4]


async def test_a_loop_is_penalised() -> None:
    models = FakeModels("a", "b")
    await retried(models, found("repetition"), PASSED)
    assert [sampling.repetition_penalty for sampling in samplings(models)] == [1.0, 1.1]


@pytest.mark.parametrize("reason", ["truncated", "empty", "unfinished_list"])
async def test_an_answer_that_ran_out_gets_more_tokens(reason: str) -> None:
    models = FakeModels("a", "b")
    await retried(models, found(reason), PASSED)
    assert [sampling.max_tokens for sampling in samplings(models)] == [None, 2 * CARD.max_output_tokens]


async def test_more_tokens_never_leave_the_window() -> None:
    models = FakeModels(*"abcd")
    await retried(models, *[found("truncated")] * 3, PASSED)
    given = [sampling.max_tokens or 0 for sampling in samplings(models)]
    assert given[:2] == [0, 1_024] and CARD.context_length - 40 < given[2] < CARD.context_length


@pytest.mark.parametrize(
    ("reason", "tool"),
    [("wrong_arithmetic", "calculator"), ("wrong_result", "text_operation"), ("wrong_result", "text_statistics")],
)
async def test_the_tool_is_added_and_called(reason: str, tool: str) -> None:
    models = FakeModels("a", tool_call("6 * 7"), "It is 42")
    final = await retried(models, found(reason), PASSED)
    assert "tools" not in models.bound[0]
    assert tool in {bound.name for bound in models.bound[1]["tools"]}
    assert words(models, 2)[-1] == "42" and final["result"].output == "It is 42"


async def test_a_call_that_the_request_spells_out_is_made_in_the_models_stead_on_a_retry_only() -> None:
    models = FakeModels("esuho", "house is esuoh")
    final = await retried(models, found("wrong_result"), PASSED, prompt="Reverse the word house")
    assert len(models.asked) == 2 and words(models, 0)[1:] == ["Reverse the word house"]
    assert words(models, 1)[-1] == "esuoh"
    result, (first, second) = final["result"], final["attempts"]
    assert result.output == "house is esuoh" and first.tools == ()
    assert [(use.name, use.output, use.failed) for use in second.tools] == [("text_operation", "esuoh", False)]
    assert second.metrics.tokens_generated == 3  # the planted call cost no token


async def test_a_spelled_out_call_is_made_once_an_attempt_and_counts_as_a_round() -> None:
    models = FakeModels("bad", "still bad", "worse")
    settings: Any = {"prompt": "Reverse the word house", "max_tool_rounds": 1}
    final = await retried(models, *[found("wrong_result")] * 2, PASSED, **settings)
    assert [len(attempt.tools) for attempt in final["attempts"]] == [0, 1, 1]
    assert [bound.get("tools") for bound in models.bound[1:]] == [None, None]


@pytest.mark.parametrize(
    ("reason", "prompt", "settings"),
    [
        ("judged_low", "Reverse the word house", {}),  # brings no add_tools
        ("wrong_result", "Reverse the word house", {"tools": ("calculator",)}),  # the tool is not allowed
        ("wrong_result", "Reverse the word house", {"tools": ()}),
        ("wrong_result", "Reverse the word house", {"max_tool_rounds": 0}),
        ("wrong_result", "Reverse a linked list", {}),  # nothing is spelled out
    ],
)
async def test_no_call_is_made_in_the_models_stead_where_it_could_not_make_it(
    reason: str, prompt: str, settings: dict[str, Any]
) -> None:
    models = FakeModels("bad", "good")
    final = await retried(models, found(reason), PASSED, prompt=prompt, **settings)
    assert len(models.asked) == 2 and final["attempts"][1].tools == ()


async def test_a_model_that_cannot_call_tools_is_told_of_no_call() -> None:
    plain = CARD.model_copy(update={"capabilities": ("chat",)})
    models = FakeModels("bad", "good", cards=[plain])
    final = await retried(models, found("wrong_result"), PASSED, prompt="Reverse the word house")
    assert final["attempts"][1].tools == ()


async def test_a_spelled_out_call_does_not_hide_that_a_tool_is_unknown() -> None:
    with pytest.raises(BadRequest, match="there is no tool 'shell'"):
        await retried(
            FakeModels("bad"), found("wrong_result"), PASSED, prompt="Reverse the word house", tools=("shell",)
        )


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_human_is_asked_about_a_spelled_out_call_as_about_any(decision: str) -> None:
    models = FakeModels("It is esuho.", "esuoh")
    graph: Any = build(fake_services(models)).compile(InMemorySaver())
    settings: Any = {
        "config": {"configurable": {"thread_id": "1"}},
        "context": Context(approve_tools=True, max_attempts=2),
    }
    asked = {"messages": [{"role": "user", "content": "Reverse the word house"}]}
    stopped = await graph.ainvoke(asked, **settings)
    (interrupt,) = stopped["__interrupt__"]
    assert interrupt.value["about"] == "tools" and len(models.asked) == 1
    final = await graph.ainvoke(Command(resume={"decision": decision}), **settings)
    assert len(models.asked) == 2 and final["result"].output == "esuoh"
    (use,) = (await graph.aget_state(settings["config"])).values["attempts"][1].tools
    assert (use.output == "esuoh", use.failed) == ((True, False) if decision == "approve" else (False, True))
    # After a rejection the model is offered no tools, or it would ask again.
    assert bool(models.bound[1].get("tools")) == (decision == "approve")


async def test_the_whole_window_is_not_promised_twice() -> None:
    models = FakeModels(*"abcde")
    final = await retried(models, *[found("truncated")] * 4, PASSED)
    grown = [attempt.remedies for attempt in final["attempts"] if "more_tokens" in attempt.remedies]
    assert len(grown) == 2  # 1024, then all 2000


async def test_the_form_is_asked_for_more_strictly_and_json_is_enforced() -> None:
    models = FakeModels("a", "b", "c")
    await retried(
        models, found("malformed_json"), found("missing_keys"), PASSED, prompt="JSON with the keys name and age: x"
    )
    assert "Write valid JSON" not in words(models, 0)[0] and "Write valid JSON and nothing else." in words(models, 1)[0]
    schemas = [bound["response_format"]["json_schema"]["schema"] for bound in models.bound[1:]]
    assert "response_format" not in models.bound[0]
    assert schemas[0] == {"type": "object"} and schemas[1]["required"] == ["name", "age"]


@pytest.mark.parametrize("reason", ["no_code", "malformed_code", "missing_name", "broken_constraint", "long_summary"])
async def test_other_forms_are_asked_for_more_strictly_in_words(reason: str) -> None:
    models = FakeModels("a", "b")
    await retried(models, found(reason), PASSED)
    assert len(words(models, 1)[0]) > len(words(models, 0)[0]) and "response_format" not in models.bound[1]


async def test_the_language_is_asked_for_in_that_language() -> None:
    spanish = FakeModels("a", "b")
    await retried(spanish, found("wrong_language"), PASSED, prompt="¿Qué es la lluvia y de dónde viene?")
    assert "Responde solo en español." in words(spanish, 1)[0] and "está en otro idioma" in words(spanish, 1)[3]


@pytest.mark.parametrize("reason", ["refusal", "off_topic"])
async def test_another_model_is_asked_at_once(reason: str) -> None:
    models = FakeModels("a", "b", cards=[CARD, LARGE])
    await retried(models, found(reason), PASSED)
    assert [name for name, _, _ in models.calls] == ["fake", "large"]
    assert [sampling.temperature for sampling in samplings(models)] == [0.0, 0.0]


async def test_another_model_is_asked_after_a_second_failure_but_not_in_the_place_of_a_named_one() -> None:
    models = FakeModels("a", "b", "c", cards=[CARD, LARGE])
    await retried(models, *[found("judged_low")] * 2, PASSED)
    assert [name for name, _, _ in models.calls] == ["fake", "fake", "large"]
    named = FakeModels("a", "b", "c", cards=[CARD, LARGE])
    await retried(named, *[found("judged_low")] * 2, PASSED, model="fake")
    assert [name for name, _, _ in named.calls] == ["fake"] * 3


@pytest.mark.parametrize("absent", [{"absent": ["large"]}, {"needed": {"fake": 10**6, "large": 10**12}}])
async def test_a_model_that_is_not_here_or_does_not_fit_is_not_asked(absent: dict[str, Any]) -> None:
    models = FakeModels("a", "b", cards=[CARD, LARGE], **absent)
    await retried(models, found("refusal"), PASSED)
    assert [name for name, _, _ in models.calls] == ["fake", "fake"]


@pytest.mark.parametrize("reason", ["repetition", "gibberish"])
async def test_full_precision_follows_four_bits(reason: str) -> None:
    models = FakeModels("a", "b", default_strategy="optimized")
    await retried(models, found(reason), PASSED)
    strategies: list[Strategy | None] = [strategy for _, strategy, _ in models.calls]
    assert strategies == ["optimized", "standard"]


async def test_an_unfinished_request_is_split_and_answered_part_by_part() -> None:
    two = "1. Who wrote Hamlet?\n2. What is 17 + 25?"
    models = FakeModels("Shakespeare", "William", tool_call("17 + 25"), "It is 42")
    final = await retried(models, found("unfinished_list"), PASSED, prompt=two)
    assert words(models, 1)[1:] == ["Who wrote Hamlet?"]
    assert words(models, 2)[1:] == ["Who wrote Hamlet?", "William", "What is 17 + 25?"]
    assert words(models, 3)[-1] == "42"
    result = final["result"]
    assert result.output == "1. William\n2. It is 42" and result.attempts == 2
    # One token of prompt a call; of the answer, its words: the costs of all parts count.
    assert result.metrics.prompt_tokens == 4 and result.metrics.tokens_generated == 5


async def test_an_attempt_in_parts_bounds_the_tool_rounds_of_each() -> None:
    two = "1. What is 1 + 1?\n2. What is 2 + 2?"
    script = ["bad", tool_call("1 + 1"), tool_call("9"), "2", tool_call("2 + 2"), "4"]
    final = await retried(FakeModels(*script), found("unfinished_list"), PASSED, prompt=two, max_tool_rounds=2)
    assert final["result"].output == "1. 2\n2. 4"


async def test_attempts_are_bounded_and_the_best_is_kept_never_a_worse_later_one() -> None:
    models = FakeModels("first", "best", "worse", "never asked")
    final = await retried(models, found("echo"), found("echo", score=0.5), found("echo", score=0.2))
    result = final["result"]
    assert (result.output, result.score, result.passed, result.attempts) == ("best", 0.5, False, 3)
    assert len(models.asked) == 3


async def test_each_plan_says_what_it_changes_and_why() -> None:
    final = await retried(FakeModels("a", "b"), found("truncated"), PASSED)
    assert any("truncated: up to 1024 tokens" in line for line in final["result"].summary)


async def test_a_long_rejected_answer_does_not_overflow_a_small_window() -> None:
    small = ModelCard(name="fake", path="fake", context_length=300, max_output_tokens=60, parameters=10**6)
    models = FakeModels("word " * 250, "fine", cards=[small])
    await retried(models, found("echo"), PASSED)
    assert sum(len(text.split()) for text in words(models, 1)) < 225
    assert "it repeats the request" in words(models, 1)[-1]


@pytest.mark.parametrize(
    ("prompt", "bad", "good", "reason"),
    [
        ("What is 17 + 25?", "It is 41.", "17 + 25 = 42", "wrong_arithmetic"),
        ("Tell me about rain.", "", "Rain is water that falls from clouds.", "empty"),
        (
            "Ana is 31. Answer with JSON with the keys name and age.",
            '{"name": ',
            '{"name": "Ana", "age": 31}',
            "malformed",
        ),
    ],
)
async def test_the_whole_orchestrator_finds_the_fault_and_mends_it(
    prompt: str, bad: str, good: str, reason: str
) -> None:
    models = FakeModels(AIMessage(bad), good)
    graph: Any = build(fake_services(models)).compile()
    final = await graph.ainvoke({"messages": [{"role": "user", "content": prompt}]}, context=Context(max_attempts=2))
    assert final["result"].output == good and final["result"].attempts == 2
    assert any(reason in line for line in final["result"].summary)
