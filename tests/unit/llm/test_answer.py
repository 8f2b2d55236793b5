"""An engine's events as LangChain chunks."""

from functools import reduce
from operator import add

import pytest
from langchain_core.messages import AIMessageChunk

from llm.answer import Answer, measure
from llm.engine.base import Done, Event, Failed, Timings, Token
from llm.tools import FORMATS
from state.errors import Broken, Unavailable
from state.models import CallMetrics

DONE = Done("stop", 7, 4, Timings(queue_wait=0.5, first_token=1.0, inference=2.0))


def metrics(done: Done) -> CallMetrics:
    return measure(
        done,
        model="m",
        strategy="standard",
        cache_hit=False,
        load_time_sec=3.0,
        wait_sec=0.25,
        before_sec=4.0,
        total_sec=7.0,
        vram_used_bytes=2_000_000_000,
    )


def answer(*events: Event, tools: bool = True) -> AIMessageChunk:
    made = Answer(FORMATS["hermes"] if tools else None, metrics)
    message = reduce(add, [chunk for event in events for chunk in made.feed(event)]).message
    assert isinstance(message, AIMessageChunk)
    return message


def test_text_and_costs() -> None:
    message = answer(Token("he", 1), Token("", 2), Token("llo", 3), DONE)
    assert message.content == "hello"
    assert message.usage_metadata == {"input_tokens": 7, "output_tokens": 4, "total_tokens": 11}
    assert message.response_metadata == {
        "finish_reason": "stop",
        "model_provider": "local",
        "model_name": "m",
        "strategy": "standard",
        "cache_hit": False,
        "load_time_sec": 3.0,
        "inference_time_sec": 2.0,
        "total_time_sec": 7.0,
        "queue_wait_sec": 0.75,
        "time_to_first_token_sec": 5.0,
        "prompt_tokens": 7,
        "prompt_tokens_reused": 0,
        "tokens_generated": 4,
        "tokens_per_sec": 2.0,
        "gpu_memory_used_gb": 2.0,
    }


def test_calls_are_calls_and_no_text() -> None:
    text = 'So: <tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><tool_call>{"name": "g"}</tool_call>'
    message = answer(*(Token(letter, 1) for letter in text), DONE)
    assert message.content == "So: "
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("f", {"a": 1}), ("g", {})]
    assert len({call["id"] for call in message.tool_calls}) == 2
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert answer(Token(text, 1), DONE, tools=False).content == text


@pytest.mark.parametrize("text", ['<tool_call>{"name": "f", "arguments": {"a": 1', '<tool_call>{"x": 1}</tool_call>'])
def test_a_bad_call_is_listed_as_invalid_and_never_completed(text: str) -> None:
    message = answer(Token(text, 1), DONE)
    assert message.content == ""
    assert message.tool_calls == []
    assert len(message.invalid_tool_calls) == 1
    assert len(message.response_metadata["tool_call_errors"]) == 1
    assert message.response_metadata["finish_reason"] == "stop"


def test_a_failure_is_never_told_as_an_answer() -> None:
    with pytest.raises(Broken):
        answer(Failed(Broken("x")))
    with pytest.raises(Unavailable, match="unloaded while it answered"):
        answer(Done("cancelled", 1, 0))
