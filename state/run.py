"""The channels of the two graphs. One writer a channel; lists grow through reducers."""

from __future__ import annotations

import operator
from typing import Annotated

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import BaseModel, Field

from state.tasks import Analysis, Attempt, Decision, LoadDecision, Plan, PluginUse, Result, Task, Verdict


class RunInput(BaseModel):
    """What a client sends: the new message or messages of the thread."""

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)


class RunState(RunInput):
    """The orchestrator's channels. All but `messages` belong to the current run and are reset by its first node."""

    task: Task | None = None
    """Written by `read_history`."""
    analysis: Analysis | None = None
    """Written by `analyze_task`."""
    plugin: PluginUse | None = None
    """Written by the plugin that the request was given to, before any model."""
    plan: Plan | None = None
    """Written by `monitor_resources`, once an attempt; by `execute` where its model has left the memory since."""
    loads: Annotated[list[LoadDecision], operator.add] = Field(default_factory=list)
    """Appended by `approve_load`."""
    scratch: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    """The current attempt's own conversation: the model's tool calls and the tools' answers."""
    attempts: Annotated[list[Attempt], operator.add] = Field(default_factory=list)
    """Appended by `execute`."""
    verdicts: Annotated[list[Verdict], operator.add] = Field(default_factory=list)
    """Appended by `validate_answer`; the n-th belongs to the n-th attempt."""
    decision: Decision | None = None
    """Written by `ask_human`."""
    result: Result | None = None
    """Written by `summarise` (in `direct`: by `answer`)."""


class RunOutput(BaseModel):
    """What a run returns."""

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    result: Result | None = None
