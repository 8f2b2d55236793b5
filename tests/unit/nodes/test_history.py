"""The history reader: which request, which turns."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from nodes.history import MAX_TURNS, read_history, read_task
from state.context import Context
from state.errors import BadRequest
from state.run import RunState
from state.tasks import Attempt, Turn, Verdict
from tests.unit.nodes.values import METRICS


def test_the_last_human_message_is_the_request_and_answered_ones_are_turns() -> None:
    task = read_task(
        [
            SystemMessage("be brief"),
            HumanMessage("unanswered"),
            HumanMessage("My name is Ana"),
            AIMessage("Hello Ana"),
            HumanMessage("2 + 2?"),
            AIMessage("I shall work it out.", tool_calls=[{"name": "calculator", "args": {}, "id": "1"}]),
            ToolMessage("4", tool_call_id="1"),
            AIMessage("4"),
            HumanMessage("  What is my name? "),
        ]
    )
    assert task.prompt == "What is my name?"
    assert task.history == (Turn(request="My name is Ana", answer="Hello Ana"), Turn(request="2 + 2?", answer="4"))


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "nothing to answer"),
        ([HumanMessage("hi"), AIMessage("hello")], "nothing to answer"),
        ([HumanMessage("   ")], "empty"),
        ([HumanMessage([{"type": "image_url", "image_url": {"url": "data:"}}])], "empty"),
    ],
)
def test_what_cannot_be_answered_is_refused(messages: list, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read_task(messages)


def test_a_long_thread_is_cut_to_its_latest_turns() -> None:
    messages = [message for n in range(50) for message in (HumanMessage(f"q{n}"), AIMessage(f"a{n}"))]
    task = read_task([*messages, HumanMessage("now")])
    assert len(task.history) == MAX_TURNS and task.history[-1].request == "q49"


async def test_the_node_clears_what_the_last_run_left() -> None:
    attempt = Attempt(number=1, model="m", strategy="standard", answer="old", metrics=METRICS)
    state = RunState(messages=[HumanMessage("hi")], attempts=[attempt], verdicts=[Verdict(score=1, passed=True)])
    update = await read_history(state, Runtime(context=Context()))
    assert update["attempts"].value == [] and update["verdicts"].value == [] and update["result"] is None
    assert update["loads"].value == [] and update["plugin"] is None
