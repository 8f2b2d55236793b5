"""One call's settings against the model's window."""

from typing import Any

import pytest

from llm.call import Call, make_request, settle_call
from state.errors import BadRequest, ContextOverflow
from state.models import Sampling
from tests.unit.llm.fakes import card

DEMO = card("demo", context_length=1024, max_output_tokens=256, stop=("</s>",), capabilities=("chat", "tools"))


def test_a_call_overrides_the_models_own_settings() -> None:
    call = settle_call({"temperature": 0.5, "top_k": 3}, DEMO, ["x", "</s>", "x"], {"temperature": 1.0, "stream": True})
    assert call == Call(Sampling(temperature=1.0, top_k=3), ("x", "</s>"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temprature": 1}, "unknown setting temprature; accepted are max_tokens"),
        ({"temperature": 3}, "temperature: "),
        ({"max_tokens": 0}, "max_tokens: "),
        ({"tools": [{}], "tool_choice": "required"}, "tool_choice 'required' is not supported"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        settle_call({}, DEMO, None, given)


def test_tools_need_a_model_that_can_call_them() -> None:
    tool = {"type": "function"}
    assert settle_call({}, DEMO, None, {"tools": [tool], "tool_choice": "auto"}).tools == (tool,)
    assert settle_call({}, DEMO, None, {"tools": [tool], "tool_choice": "none"}).tools == ()
    with pytest.raises(BadRequest, match="plain cannot call tools"):
        settle_call({}, card("plain"), None, {"tools": [tool]})


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
