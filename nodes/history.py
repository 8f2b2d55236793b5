"""The history reader: which request this run serves, and the turns before it."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.types import Overwrite

from state.errors import BadRequest
from state.run import RunState
from state.tasks import Task, Turn

MAX_TURNS = 20
"""Turns handed on; the executor trims them to the model's context window."""


def read_task(messages: Sequence[AnyMessage]) -> Task:
    """The last human message as the request, the answered ones before it as turns, oldest first.

    Raises BadRequest when there is no human message, when it is empty, or when it was answered already.
    """
    if not messages or not isinstance(messages[-1], HumanMessage):
        raise BadRequest("there is nothing to answer: the last message must come from the user (role 'user')")
    prompt = messages[-1].text.strip()
    if not prompt:
        raise BadRequest("the prompt is empty; say what you want answered")
    turns: list[Turn] = []
    request: str | None = None
    for message in messages[:-1]:
        if isinstance(message, HumanMessage):
            request = message.text
        elif isinstance(message, AIMessage) and request is not None and message.text.strip():
            turns.append(Turn(request=request, answer=message.text))
            request = None
    return Task(prompt=prompt, history=tuple(turns[-MAX_TURNS:]))


async def read_history(state: RunState) -> dict[str, object]:
    """Reads `messages`; writes `task` and clears what an earlier run of the thread left. Raises BadRequest."""
    return {
        "task": read_task(state.messages),
        "analysis": None,
        "plan": None,
        "scratch": Overwrite([]),
        "attempts": Overwrite([]),
        "verdicts": Overwrite([]),
        "decision": None,
        "result": None,
    }
