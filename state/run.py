"""The channels of the two graphs. One writer a channel; lists grow through reducers."""

from __future__ import annotations

from typing import Annotated

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from pydantic import BaseModel, Field

from state.channels import Typed, appended
from state.tasks import Analysis, Attempt, Decision, LoadDecision, Plan, PluginUse, Result, Task, Verdict


class RunInput(BaseModel):
    """What a client sends: the new message or messages of the thread."""

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)


class RunState(RunInput):
    """The orchestrator's channels. All but `messages` belong to the current run and are reset by its first node."""

    task: Annotated[Task | None, Typed] = None
    """Written by `read_history`."""
    analysis: Annotated[Analysis | None, Typed] = None
    """Written by `analyze_task`."""
    plugin: Annotated[PluginUse | None, Typed] = None
    """Written by the plugin that the request was given to, before any model."""
    plan: Annotated[Plan | None, Typed] = None
    """Written by `monitor_resources`, once an attempt; by `execute` where its model has left the memory since."""
    loads: Annotated[list[LoadDecision], appended(LoadDecision)] = Field(default_factory=list)
    """Appended by `approve_load`."""
    scratch: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    """The current attempt's own conversation: the model's tool calls and the tools' answers."""
    attempts: Annotated[list[Attempt], appended(Attempt)] = Field(default_factory=list)
    """Appended by `execute`."""
    verdicts: Annotated[list[Verdict], appended(Verdict)] = Field(default_factory=list)
    """Appended by `validate_answer`; the n-th belongs to the n-th attempt."""
    decision: Annotated[Decision | None, Typed] = None
    """Written by `ask_human`."""
    result: Annotated[Result | None, Typed] = None
    """Written by `summarise` (in `direct`: by `answer`)."""


class RunOutput(BaseModel):
    """What a run returns."""

    messages: Annotated[list[AnyMessage], add_messages] = Field(default_factory=list)
    result: Annotated[Result | None, Typed] = None
