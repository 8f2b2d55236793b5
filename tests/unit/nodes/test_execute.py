"""The executor's plain parts: what fits the window, what an attempt was."""

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from nodes.analyze import analyze
from nodes.costs import add_metrics, metrics_of
from nodes.execute import clip_tokens, finish_attempt, fit_window
from nodes.prompting import feedback, system_prompt
from state.models import Sampling
from state.tasks import Decision, Plan, Reason, Verdict
from tests.fakes import FakeModels, tool_call
from tests.unit.nodes.values import METRICS

PLAN = Plan(attempt=1, model="fake", strategy="standard", sampling=Sampling())


def window(history: list, size: int, answer_tokens: int = 10) -> tuple[list, int]:
    counter = FakeModels().chat("fake")
    head, tail = [SystemMessage("one two")], [HumanMessage("three four five")]
    return fit_window(head, history, tail, counter=counter, window=size, answer_tokens=answer_tokens)


TURNS = [HumanMessage("a b c"), AIMessage("d e f"), HumanMessage("g h i"), AIMessage("j k l")]


def test_the_whole_history_is_kept_while_it_fits() -> None:
    messages, room = window(TURNS, 100)
    assert messages[1:-1] == TURNS and room == 100 - 17


def test_the_oldest_turns_go_first_and_a_turn_goes_whole() -> None:
    messages, room = window(TURNS, 24)
    assert messages[1:-1] == TURNS[2:] and room == 24 - 11


def test_the_request_is_never_cut() -> None:
    messages, room = window(TURNS, 4)
    assert [message.text for message in messages] == ["one two", "three four five"] and room == -1


def test_a_remedy_never_asks_for_more_than_the_window_leaves() -> None:
    assert clip_tokens(Sampling(max_tokens=500), 100).max_tokens == 100
    assert clip_tokens(Sampling(max_tokens=50), 100).max_tokens == 50
    assert clip_tokens(Sampling(), 100).max_tokens is None


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


def test_a_model_without_metrics_still_gives_its_name() -> None:
    metrics = metrics_of(AIMessage("hi"), model="m", strategy="standard")
    assert (metrics.model_name, metrics.tokens_generated) == ("m", 0)
    assert add_metrics(None, METRICS) == METRICS


def test_the_model_is_told_what_was_wrong_in_the_language_of_the_request() -> None:
    verdict = Verdict(score=0, passed=False, reasons=(Reason(name="echo"), Reason(name="made_up")))
    assert feedback(verdict, None, "es") == (
        "Tu última respuesta fue rechazada: repite la petición, made_up. Responde otra vez a la petición."
    )
    hint = Decision(decision="retry", hint="be brief.")
    assert "it repeats the request, made_up, be brief. Answer" in feedback(verdict, hint, "fr")


def test_the_system_prompt_follows_the_kind() -> None:
    assert system_prompt(analyze("What is 2 + 2?")).endswith("Use the calculator tool for arithmetic.")
    assert system_prompt(analyze("Give JSON: Ana is 31")).endswith("Answer with JSON only.")
    assert system_prompt(analyze("Hello!")) == "You are a careful assistant. Answer in the language of the request."
