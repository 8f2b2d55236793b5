"""The history reader: which request this run serves, the turns before it, and what was asked on other threads."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.types import Overwrite

from nodes.memory import recall, runs_of
from state.context import Context
from state.errors import BadRequest, LabError
from state.run import RunState
from state.tasks import Related, Task, Turn

MAX_TURNS = 20
"""Turns handed on; the executor trims them to the model's context window."""

log = logging.getLogger(__name__)


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
    answer = ""
    for message in messages:
        if isinstance(message, HumanMessage):
            if request is not None and answer:
                turns.append(Turn(request=request, answer=answer))
            request, answer = message.text, ""
        elif isinstance(message, AIMessage) and message.text.strip():
            answer = message.text  # the last one: models also write beside the tools they call
    return Task(prompt=prompt, history=tuple(turns[-MAX_TURNS:]))


async def read_history(state: RunState, runtime: Runtime[Context]) -> dict[str, object]:
    """Reads `messages` and the store; writes `task` and clears what an earlier run of the thread left.

    Raises BadRequest. Without a store, or when its embedder fails, the task has no related runs.
    """
    task = read_task(state.messages)
    if runtime.store is not None:
        task = task.model_copy(update={"related": await _recall(runtime.store, runtime, task.prompt)})
    return {
        "task": task,
        "analysis": None,
        "plugin": None,
        "plan": None,
        "loads": Overwrite([]),
        "scratch": Overwrite([]),
        "attempts": Overwrite([]),
        "verdicts": Overwrite([]),
        "decision": None,
        "result": None,
    }


async def _recall(store: BaseStore, runtime: Runtime[Context], prompt: str) -> tuple[Related, ...]:
    limit = (runtime.context or Context()).related_runs
    thread_id = runtime.execution_info.thread_id if runtime.execution_info is not None else None
    try:
        return await recall(store, runs_of(runtime.server_info), prompt, limit=limit, thread_id=thread_id)
    except LabError as error:  # memory helps a run; that it cannot be asked must not stop one
        log.warning("no related runs: %s", error)
        return ()
