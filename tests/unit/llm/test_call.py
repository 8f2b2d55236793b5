"""One call's settings against the model's window."""

from typing import Any

import pytest

from llm.asking.call import Call, make_request, settle_call
from llm.asking.choice import JsonAnswer, Tools
from state.errors import BadRequest, ContextOverflow
from state.models import Sampling
from tests.unit.llm.fakes import card

DEMO = card("demo", context_length=1024, max_output_tokens=256, stop=("</s>",), capabilities=("chat", "tools"))
TOOL = {"type": "function", "function": {"name": "add"}}


def test_a_call_overrides_the_models_own_settings() -> None:
    call = settle_call({"temperature": 0.5, "top_k": 3}, DEMO, ["x", "</s>", "x"], {"temperature": 1.0, "stream": True})
    assert call == Call(Sampling(temperature=1.0, top_k=3), ("x", "</s>"))


def test_none_unsets_what_may_be_unset_and_says_nothing_elsewhere() -> None:
    own = {"max_tokens": 5, "seed": 1, "temperature": 0.5, "caller": "me", "include_prompt": True}
    nothing = dict.fromkeys([*own, "tools", "tool_choice", "parallel_tool_calls", "response_format"])
    call = settle_call(own, DEMO, [], nothing)
    assert call == Call(Sampling(temperature=0.5), ("</s>",), caller="me", include_prompt=True)


def test_what_is_asked_of_tools_and_answer_is_kept() -> None:
    given = {"tools": [TOOL], "tool_choice": "any", "parallel_tool_calls": False, "strict": True, "caller": "me"}
    call = settle_call({"caller": "thread"}, DEMO, None, {**given, "response_format": {"type": "json_object"}})
    assert call.tools == Tools((TOOL,), ("add",), parallel=False)
    assert call.answer == JsonAnswer()
    assert call.caller == "me"
    assert make_request([1], call, DEMO).caller == "me"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temprature": 1}, "unknown setting temprature; accepted are caller, include_prompt, max_tokens"),
        ({"n": 2, "logprobs": True}, "unknown setting logprobs, n; accepted are"),
        ({"temperature": 3}, "temperature: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"tools": [TOOL], "tool_choice": "sub"}, "names the tool 'sub'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        settle_call({}, DEMO, None, given)


def test_tools_need_a_model_that_can_call_them() -> None:
    assert settle_call({}, DEMO, None, {"tools": [TOOL], "tool_choice": "auto"}).tools == Tools((TOOL,))
    assert settle_call({}, card("plain"), None, {"tools": [TOOL], "tool_choice": "none"}).tools == Tools()
    with pytest.raises(BadRequest, match="plain cannot call tools"):
        settle_call({}, card("plain"), None, {"tools": [TOOL]})


@pytest.mark.parametrize(
    ("prompt", "asked", "length"), [(10, None, 256), (1000, None, 24), (1000, 24, 24), (1023, None, 1)]
)
def test_the_default_length_is_clipped_to_the_room(prompt: int, asked: int | None, length: int) -> None:
    assert make_request([1] * prompt, Call(Sampling(max_tokens=asked)), DEMO).max_tokens == length


@pytest.mark.parametrize(
    ("prompt", "asked", "message"),
    [
        (
            1311,
            None,
            r"prompt has 1,311 tokens, the window of demo is 1,024; shorten the prompt or choose a model with a longer",
        ),
        (1024, None, r"prompt has 1,024 tokens"),
        (1000, 25, r"prompt has 1,000 tokens and max_tokens asks for 25 more, .* is 1,024; ask for at most 24"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(prompt: int, asked: int | None, message: str) -> None:
    with pytest.raises(ContextOverflow, match=message):
        make_request([1] * prompt, Call(Sampling(max_tokens=asked)), DEMO)
