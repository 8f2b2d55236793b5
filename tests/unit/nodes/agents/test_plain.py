"""What of an agent's answer can be kept."""

from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import pytest

from nodes.agents.plain import MAX_CHARS, MAX_DEPTH, kept
from state.agents import AgentReply
from state.errors import AgentFailed


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("output", "plain"),
    [
        ({"a": [1, 2.5, True, None, "é😀"]}, {"a": [1, 2.5, True, None, "é😀"]}),
        ((1, (2,)), [1, [2]]),
        ("a\0b\ud800c", "a\ufffdb\ufffdc"),
        ({"k\udfff": "\ud83d\ude00"}, {"k\ufffd": "😀"}),
        (2**63 - 1, 2**63 - 1),
        (nested(MAX_DEPTH), nested(MAX_DEPTH)),
    ],
    ids=["json", "tuples", "text", "key", "number", "deep"],
)
def test_plain_json_is_kept_and_texts_are_made_storable(output: Any, plain: Any) -> None:
    assert kept(AgentReply(output=output, text="a\0\ud800")) == AgentReply(output=plain, text="a\ufffd\ufffd")


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (float("nan"), "the output holds nan, which cannot be kept"),
        ({"n": [float("inf")]}, "the output holds inf, which cannot be kept"),
        (2**63, "the output holds a number of too many digits, which cannot be kept"),
        ({1: 2}, "the output has the key '1', a int; keys are texts"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "the output holds a datetime, which is no plain JSON"),
        (nested(MAX_DEPTH + 1), "the output is nested deeper than 50"),
    ],
    ids=["nan", "infinity", "large", "key", "class", "deep"],
)
def test_what_is_no_plain_json_is_a_failure_of_the_agent(output: Any, told: str) -> None:
    with pytest.raises(AgentFailed, match=f"^{told}$"):
        kept(AgentReply(output=output, text=""))


class Colour(IntEnum):
    RED = 1


class Share(float):
    """As numpy's numbers are."""


def test_of_a_class_derived_from_a_number_the_number_is_kept() -> None:
    output = kept(AgentReply(output=[Colour.RED, Share(0.5), True], text="")).output
    assert [type(one) for one in output] == [int, float, bool] and output == [1, 0.5, True]


@pytest.mark.no_cover
def test_what_is_too_big_or_holds_itself_is_a_failure_of_the_agent() -> None:
    twice: list[Any] = []
    twice += [twice, twice]
    shared: Any = 1
    for _ in range(40):
        shared = [shared, shared]
    for output in ("x" * (MAX_CHARS + 1), twice, shared):
        with pytest.raises(AgentFailed, match=r"bigger than 5,000,000 characters|nested deeper"):
            kept(AgentReply(output=output, text=""))
    with pytest.raises(AgentFailed, match="the text is bigger"):
        kept(AgentReply(output="", text="x" * (MAX_CHARS + 1)))


def test_a_text_that_is_none_is_a_failure_of_the_agent() -> None:
    odd: Any = 5
    for reply in (AgentReply(output=1, text=odd), AgentReply(output=1, text="", next=odd)):
        with pytest.raises(AgentFailed, match="is no text"):
            kept(reply)


@pytest.mark.parametrize(
    ("said", "count"), [(7, 7), (None, 0), ("7", 0), (-1, 0), (2**70, 0), (True, 0), (1.5, 0)], ids=str
)
def test_what_is_no_count_of_tokens_costs_no_answer(said: Any, count: int) -> None:
    reply = kept(AgentReply("x", "x", input_tokens=said, output_tokens=said, model=said))
    assert (reply.input_tokens, reply.output_tokens) == (count, count)
    assert reply.model == ("7" if said == "7" else None)
