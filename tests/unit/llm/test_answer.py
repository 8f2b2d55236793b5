"""An engine's events as LangChain chunks."""

from functools import reduce
from operator import add

import pytest
from langchain_core.messages import AIMessageChunk

from llm.asking.answer import Answer, measure
from llm.engine.base import Done, Event, Failed, Timings, Token
from llm.tools import FORMATS
from state.errors import Broken, Unavailable
from state.models import CallMetrics, ToolFormat

DONE = Done("stop", 7, 4, Timings(queue_wait=0.5, first_token=1.0, inference=2.0), prompt_tokens_reused=3)
CANCELLED = Done("cancelled", 7, 6)
NAMES = frozenset({"f", "g"})


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


def make(form: ToolFormat | None = "hermes", *, parallel: bool = True) -> Answer:
    return Answer(FORMATS[form].parser(NAMES) if form else None, metrics, parallel=parallel, extra={"prompt": "p"})


def message_of(made: Answer, *events: Event) -> AIMessageChunk:
    message = reduce(add, [chunk for event in events for chunk in made.feed(event)]).message
    assert isinstance(message, AIMessageChunk)
    return message


def test_text_and_costs() -> None:
    message = message_of(make(), Token("he", 1), Token("", 2), Token("llo", 3), DONE)
    assert message.content == "hello"
    assert message.usage_metadata == {
        "input_tokens": 7,
        "output_tokens": 4,
        "total_tokens": 11,
        "input_token_details": {"cache_read": 3},
    }
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
        "prompt_tokens_reused": 3,
        "tokens_generated": 4,
        "tokens_per_sec": 2.0,
        "gpu_memory_used_gb": 2.0,
        "prompt": "p",
    }


TWO = 'So: <tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>\n<tool_call>{"name": "g"}</tool_call>\n'


def test_calls_are_calls_and_no_text() -> None:
    message = message_of(make(), *(Token(letter, 1) for letter in TWO), DONE)
    assert message.content == "So: "
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("f", {"a": 1}), ("g", {})]
    assert len({call["id"] for call in message.tool_calls}) == 2
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message_of(make(None), Token(TWO, 1), DONE).content == TWO


@pytest.mark.parametrize("texts", [[*TWO], [TWO]])
def test_without_parallel_calls_the_first_ends_the_answer(texts: list[str]) -> None:
    made = make(parallel=False)
    chunks = []
    for text in texts:
        assert not made.complete
        chunks += made.feed(Token(text, 1))
        if made.complete:
            break
    # Tokens that were under way are dropped, and the end that our own cancelling brings is a good one.
    chunks += [*made.feed(Token("and more", 1)), *made.feed(CANCELLED)]
    message = reduce(add, chunks).message
    assert isinstance(message, AIMessageChunk)
    assert [call["name"] for call in message.tool_calls] == ["f"]
    assert message.content == "So: "
    assert message.response_metadata["finish_reason"] == "tool_calls"
    assert message.usage_metadata is not None and message.usage_metadata["output_tokens"] == 6


BAD: list[tuple[ToolFormat, str]] = [
    ("hermes", '<tool_call>{"name": "f", "arguments": {"a": 1'),
    ("hermes", '<tool_call>{"x": 1}</tool_call>'),
    ("mistral", '[TOOL_CALLS]f[ARGS]{"a": 1'),
    ("llama3", '{"name": "f", "parameters": {"a": 1'),
    ("json", '{"name": "f", "arguments": {"a": 1'),
]


@pytest.mark.parametrize(("form", "text"), BAD)
def test_a_bad_call_is_listed_as_invalid_and_never_completed(form: ToolFormat, text: str) -> None:
    message = message_of(make(form), Token(text, 1), DONE)
    assert message.content == ""
    assert message.tool_calls == []
    assert len(message.invalid_tool_calls) == 1
    assert len(message.response_metadata["tool_call_errors"]) == 1
    assert message.response_metadata["finish_reason"] == "stop"


def test_a_failure_is_never_told_as_an_answer() -> None:
    with pytest.raises(Broken):
        make().feed(Failed(Broken("x")))
    with pytest.raises(Unavailable, match="unloaded while it answered"):
        make().feed(CANCELLED)
    with pytest.raises(Unavailable, match="unloaded while it answered"):
        make(parallel=False).feed(CANCELLED)
