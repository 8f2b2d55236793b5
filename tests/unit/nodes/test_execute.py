"""The executor's plain parts: what an attempt was, what it is asked, with which tools, in how much room."""

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from graphs.services import lab_tools
from nodes.calling.attempts import ends, finish_attempt
from nodes.calling.calls import next_call
from nodes.calling.forms import json_form, stricter_lines
from nodes.calling.prompting import clean, feedback, related_note, request_messages, system_prompt
from nodes.calling.window import Window, choose_way, clip_tokens, fit_notes, fit_window
from nodes.costs import add_metrics, metrics_of
from state.context import Context
from state.errors import BadRequest
from state.models import ModelCard, Sampling
from state.run import RunState
from state.tasks import Analysis, Attempt, Decision, Kind, Need, Plan, Reason, Related, Remedy, Task, Turn, Verdict
from tests.fakes import CARD, FakeModels, tool_call
from tests.unit.nodes.values import METRICS

PLAN = Plan(attempt=1, model="fake", strategy="standard", sampling=Sampling())


def analysis(kind: Kind = "conversation", language: str = "en", *needs: Need) -> Analysis:
    return Analysis(kind=kind, confidence=1.0, language=language, needs=needs)


def window(size: int) -> Window:
    return Window(FakeModels().chat("fake"), size)


def fitted(history: list[AnyMessage], size: int, **more: Any) -> tuple[list[AnyMessage], int, int]:
    head: list[AnyMessage] = [SystemMessage("one two")]
    return fit_window(head, history, [HumanMessage("three four five")], window=window(size), answer_tokens=10, **more)


TURNS: list[AnyMessage] = [HumanMessage("a b c"), AIMessage("d e f"), HumanMessage("g h i"), AIMessage("j k l")]


def test_the_whole_history_is_kept_while_it_fits() -> None:
    messages, used, room = fitted(TURNS, 100)
    assert messages[1:-1] == TURNS and (used, room) == (12, 100 - 17)


def test_the_oldest_turns_go_first_and_a_turn_goes_whole() -> None:
    messages, used, room = fitted(TURNS, 24)
    assert messages[1:-1] == TURNS[2:] and (used, room) == (6, 24 - 11)


def test_a_run_may_set_how_much_of_the_history_is_sent() -> None:
    assert fitted(TURNS, 100, most=11)[0][1:-1] == TURNS[2:]
    assert fitted(TURNS, 100, most=0)[0][1:-1] == []


def test_the_request_is_never_cut() -> None:
    messages, _, room = fitted(TURNS, 4)
    assert [message.text for message in messages] == ["one two", "three four five"] and room == -1


def test_a_remedy_never_asks_for_more_than_the_window_leaves() -> None:
    assert clip_tokens(Sampling(max_tokens=500), 100).max_tokens == 100
    assert clip_tokens(Sampling(max_tokens=50), 100).max_tokens == 50
    assert clip_tokens(Sampling(), 100).max_tokens is None


@pytest.mark.parametrize(("room", "shown"), [(400, 0), (120, 1), (20, 2), (4, 3)])
def test_a_rejected_answer_is_shown_as_far_as_the_window_allows(room: int, shown: int) -> None:
    last = Attempt(number=1, model="m", strategy="standard", answer="word " * 200, metrics=METRICS)
    ways = request_messages("say it now", last, "it was wrong: " + "so " * 7)
    assert choose_way(ways, around=[], window=window(1_000), room=room) == shown
    assert [len(way) for way in ways] == [3, 3, 1, 1] and ways[-1][0].text == "say it now"


NEAR = tuple(Related(run_id=str(n), request=f"ask {n}", answer="one two three", similarity=0.9) for n in range(3))


def test_notes_of_related_runs_fill_what_is_left_of_a_large_window() -> None:
    note, taken = fit_notes(NEAR, window=window(5_000), room=1_000)
    assert note.count("- asked:") == 3 and taken == len(note.split())
    one = len(related_note(NEAR[:1]).split())
    assert fit_notes(NEAR, window=window(5_000), room=one + 1)[0] == related_note(NEAR[:1])
    assert fit_notes(NEAR, window=window(5_000), room=3) == ("", 0)
    assert fit_notes(NEAR, window=window(4_095), room=1_000) == ("", 0)


def test_what_is_quoted_can_close_no_message_and_no_line() -> None:
    assert clean("a\x00b\n<|im_end|>c", 100) == "a b c"
    assert clean("x" * 10**6, 10) == "x" * 9 + "…"


def test_an_attempt_tells_its_tool_calls_and_adds_up_its_costs() -> None:
    call = tool_call("1/0")
    call.response_metadata = {"inference_time_sec": 1.0, "load_time_sec": 2.0, "cache_hit": False}
    call.usage_metadata = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    answer = AIMessage("It failed. ", usage_metadata={"input_tokens": 20, "output_tokens": 3, "total_tokens": 23})
    failed = ToolMessage("error: division by zero", tool_call_id="call 1/0", status="error")
    attempt = finish_attempt(PLAN, [call, failed, answer])
    assert attempt.answer == "It failed."
    assert [(use.name, use.output, use.failed) for use in attempt.tools] == [
        ("calculator", "error: division by zero", True)
    ]
    metrics = attempt.metrics
    assert (metrics.prompt_tokens, metrics.tokens_generated, metrics.load_time_sec) == (30, 8, 2.0)
    assert not metrics.cache_hit


def test_an_attempt_in_parts_joins_their_answers_and_is_cut_when_one_is() -> None:
    plan = PLAN.model_copy(update={"parts": ("Who?", "What is 1 + 1?"), "remedies": ("split_task",)})
    cut = AIMessage("Ana", response_metadata={"finish_reason": "length"})
    scratch = [cut, tool_call("1 + 1"), ToolMessage("2", tool_call_id="call 1 + 1"), AIMessage("2", id="last")]
    assert ends(scratch) == [0, 3]
    attempt = finish_attempt(plan, scratch, "1. Who?\n2. What is 1 + 1?")
    assert attempt.answer == "1. Ana\n2. 2" and attempt.finish_reason == "length"
    assert [use.output for use in attempt.tools] == ["2"] and attempt.message_id == "last"
    assert attempt.remedies == ("split_task",)


def test_the_same_call_id_in_two_rounds_is_told_apart() -> None:
    rounds = [tool_call("1"), ToolMessage("one", tool_call_id="call 1"), tool_call("1")]
    scratch = [*rounds, ToolMessage("two", tool_call_id="call 1"), AIMessage("done")]
    assert [use.output for use in finish_attempt(PLAN, scratch).tools] == ["one", "two"]


def test_a_model_without_metrics_still_gives_its_name() -> None:
    metrics = metrics_of(AIMessage("hi"), model="m", strategy="standard")
    assert (metrics.model_name, metrics.tokens_generated) == ("m", 0)
    assert add_metrics(None, METRICS) == METRICS
    reused = METRICS.model_copy(update={"prompt_tokens_reused": 4, "time_to_first_token_sec": 0.5})
    added = add_metrics(add_metrics(METRICS, reused), reused.model_copy(update={"time_to_first_token_sec": 0.1}))
    assert (added.prompt_tokens_reused, added.time_to_first_token_sec) == (8, 0.5)


def test_the_model_is_told_what_was_wrong_in_the_language_of_the_request() -> None:
    verdict = Verdict(score=0, passed=False, reasons=(Reason(name="echo"), Reason(name="made_up")))
    assert feedback(verdict, None, "es") == (
        "Tu última respuesta fue rechazada: repite la petición, made up. Responde otra vez a la petición."
    )
    hint = Decision(decision="retry", hint="be brief.")
    assert "it repeats the request, made up, be brief. Answer" in feedback(verdict, hint, "fr")


def test_the_evidence_is_told_unless_it_is_a_piece_of_the_bad_answer() -> None:
    told = {"missing_keys": "'age' missing", "judged_low": "too\nvague", "gibberish": "qwrt", "template_leak": "<|x|>"}
    verdict = Verdict(score=0, passed=False, reasons=tuple(Reason(name=n, evidence=e) for n, e in told.items()))
    assert (
        "rejected: keys are missing ('age' missing), it is not good enough (too vague), it cannot be understood, "
        in (feedback(verdict, None, "en"))
    )


def test_the_system_prompt_of_a_first_attempt_is_what_the_demo_model_learnt() -> None:
    base = "You are a careful assistant. Answer in the language of the request."
    calculator = f"{base} Use the calculator tool for arithmetic."
    assert system_prompt(analysis("math"), offered=["calculator"]) == calculator
    assert system_prompt(analysis("math"), offered=[]) == base
    assert system_prompt(analysis("extraction", "en", "json")) == f"{base} Answer with JSON only."
    assert system_prompt(analysis()) == base


@pytest.mark.parametrize(
    ("reason", "language", "line"),
    [
        ("malformed_json", "en", "Write valid JSON and nothing else."),
        ("no_code", "es", "Escribe un solo bloque de código completo, con sintaxis válida y los nombres pedidos."),
        ("wrong_language", "fr", "Réponds uniquement en français."),
        ("wrong_language", "zh", "Answer in the language of the request."),
        ("anything", "de", "Keep exactly to the form that the request asks for."),
    ],
)
def test_a_stricter_line_fits_reason_and_language(reason: str, language: str, line: str) -> None:
    assert stricter_lines([Reason(name=reason)] * 2, language) == (line,)


def test_an_answer_is_held_to_json_where_its_provider_can() -> None:
    malformed, missing = [Reason(name="malformed_json")], [Reason(name="missing_keys")]
    form = json_form(CARD, "Answer with JSON with the keys name and age.", missing)
    assert form is not None and form["json_schema"]["schema"]["required"] == ["name", "age"]
    form = json_form(CARD, "Give me a JSON list", malformed)
    assert form is not None and "anyOf" in form["json_schema"]["schema"]
    assert json_form(CARD, "Write JSON", [Reason(name="no_code")]) is None
    far: dict[str, Any] = {"name": "far", "model_id": "x", "context_length": 9}
    remote = ModelCard(provider="openai", **far)
    assert json_form(remote, "Write JSON", malformed) == {"type": "json_object"}
    assert json_form(remote, "Write a JSON array", malformed) is None
    assert json_form(ModelCard(provider="anthropic", **far), "Write JSON", malformed) is None


def called(
    prompt: str = "Hello",
    *remedies: Remedy,
    kind: Kind = "conversation",
    reason: str = "echo",
    context: Context | None = None,
    models: FakeModels | None = None,
    scratch: list[AnyMessage] | None = None,
    **task: Any,
) -> Any:
    """The call that an attempt begins with, or goes on with after `scratch`."""
    parts = task.pop("parts", ())
    retried = [Attempt(number=1, model="fake", strategy="standard", answer="bad", metrics=METRICS)] if remedies else []
    state = RunState(
        task=Task(prompt=prompt, **task),
        analysis=analysis(kind),
        plan=PLAN.model_copy(update={"remedies": remedies, "parts": parts}),
        attempts=retried,
        verdicts=[Verdict(score=0, passed=False, reasons=(Reason(name=reason),)) for _ in retried],
    )
    return next_call(state, context or Context(), models or FakeModels(), lab_tools(), scratch or [])


def names(call: Any) -> set[str]:
    return {tool.name for tool in call.tools}


def test_tools_are_those_that_the_request_calls_for() -> None:
    assert names(called()) == set()
    assert names(called("What is 17 + 25?", kind="math")) == {"calculator"}
    assert names(called(context=Context(tools=("calculator",)))) == {"calculator"}
    with pytest.raises(BadRequest, match="no tool 'hammer'"):
        called(context=Context(tools=("hammer",)))


def test_a_retry_adds_tools_for_its_reason_and_all_of_them_for_others() -> None:
    assert "calculator" in names(called("Hello", "add_tools", reason="wrong_arithmetic"))
    assert names(called("Hello", "add_tools", reason="off_topic")) == {tool.name for tool in lab_tools()}
    assert names(called("Hello", "add_tools", reason="off_topic", context=Context(tools=()))) == set()


def test_a_model_that_cannot_call_tools_is_offered_none() -> None:
    plain = FakeModels(cards=[CARD.model_copy(update={"capabilities": ("chat",)})])
    call = called("What is 17 + 25?", kind="math", models=plain)
    assert call.tools == () and "calculator" not in call.messages[0].text


def test_the_reason_is_said_only_where_the_plan_says_so() -> None:
    assert [message.type for message in called("Hi", "raise_temperature").messages] == ["system", "human"]
    said = called("Hi", "say_the_reason").messages
    assert [message.text for message in said[1:3]] == ["Hi", "bad"] and "it repeats the request" in said[3].text


def test_a_part_is_asked_after_those_before_it_and_with_its_own_tools() -> None:
    parts = ("Who wrote Hamlet?", "What is 17 + 25?")
    first = called("Both", "split_task", parts=parts)
    assert [message.text for message in first.messages[1:]] == [parts[0]]
    second = called("Both", "split_task", parts=parts, scratch=[AIMessage("Shakespeare")])
    assert [message.text for message in second.messages[1:]] == [parts[0], "Shakespeare", parts[1]]
    assert "calculator" in names(second)


def test_turns_come_before_notes_of_other_threads_within_what_the_run_allows() -> None:
    large = FakeModels(cards=[CARD.model_copy(update={"context_length": 8_000})])
    turn = Turn(request="earlier", answer="said")
    everything = called(models=large, history=(turn,), related=NEAR)
    assert [message.text for message in everything.messages[1:]] == ["earlier", "said", "Hello"]
    assert everything.messages[0].text.count("- asked:") == 3
    some = called(models=large, history=(turn,), related=NEAR, context=Context(history_tokens=2))
    assert len(some.messages) == 4 and "- asked:" not in some.messages[0].text
    assert len(called(models=large, history=(turn,), related=NEAR, context=Context(history_tokens=0)).messages) == 2
    assert "- asked:" not in called(related=NEAR).messages[0].text  # a window of 2,000 tokens


def test_half_a_surrogate_pair_is_sent_as_a_question_mark() -> None:
    call = tool_call("\ud800 + 1")
    scratch: list[AnyMessage] = [call, ToolMessage("\udfff", tool_call_id="call \ud800 + 1")]
    turn = Turn(request="\ud800", answer="fine")
    for message in called("reverse \udc00", scratch=scratch, history=(turn,)).messages:
        json.dumps([message.text, getattr(message, "tool_calls", [])], ensure_ascii=False).encode()


@pytest.mark.parametrize("prompt", ["x" * 100_000, "\x00\x1b[2J", "‮ right to left", "[" * 5_000])
def test_a_hostile_prompt_is_put_into_words_like_any_other(prompt: str) -> None:
    assert called(prompt, "say_the_reason", "stricter_format", "add_tools").messages[1].text.startswith(prompt[:20])
