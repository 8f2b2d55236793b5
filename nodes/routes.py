"""Edge functions of the orchestrator: state in, the name of the next node out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime

from nodes.humans.load import needs_approval
from nodes.humans.tool_calls import all_answered
from nodes.plugins import Plugin, chosen
from state.context import Context
from state.run import RunState


def after_analyze(state: RunState, *, plugins: Sequence[Plugin]) -> str:
    """To the first plugin of the user's own that handles such requests, else to the models."""
    assert state.task is not None and state.analysis is not None, "analyze_task runs first"
    plugin = chosen(plugins, state.task, state.analysis)
    return plugin.name if plugin is not None else "monitor_resources"


def after_plugin(state: RunState) -> Literal["validate_answer", "monitor_resources"]:
    """What it answered is judged; when it declined, a model is asked."""
    return "validate_answer" if state.attempts else "monitor_resources"


def after_monitor(state: RunState, runtime: Runtime[Context]) -> Literal["approve_load", "execute"]:
    """A human is asked first where the run wants that and the planned load is large and not allowed yet."""
    assert state.plan is not None, "monitor_resources runs first"
    context = runtime.context or Context()
    return "approve_load" if needs_approval(state.plan, state.loads, context.approve_load_over) else "execute"


def after_load(
    state: RunState, runtime: Runtime[Context]
) -> Literal["execute", "monitor_resources", "ask_human", "summarise"]:
    """Loaded, planned anew for the human's own choice, or, rejected, to the end with what there is."""
    decision = state.loads[-1].decision
    if decision == "approve":
        return "execute"
    if decision == "edit":
        return "monitor_resources"
    asks = state.attempts and (runtime.context or Context()).approve
    return "ask_human" if asks else "summarise"


def after_execute(
    state: RunState, runtime: Runtime[Context]
) -> Literal["approve_load", "approve_tools", "call_tools", "validate_answer"]:
    """To the tools while the planned attempt is unfinished: the model asked for them. Else to the validator.

    To a human where the model was not asked: it has left the memory since the plan was made.
    """
    assert state.plan is not None, "monitor_resources runs first"
    context = runtime.context or Context()
    if len(state.attempts) >= state.plan.attempt:
        return "validate_answer"
    if all_answered(state.scratch) and needs_approval(state.plan, state.loads, context.approve_load_over):
        return "approve_load"
    return "approve_tools" if context.approve_tools else "call_tools"


def after_tools_decision(state: RunState) -> Literal["call_tools", "execute"]:
    """Back to the model at once when a human has answered all its calls."""
    return "execute" if all_answered(state.scratch) else "call_tools"


def after_validate(
    state: RunState, runtime: Runtime[Context]
) -> Literal["monitor_resources", "ask_human", "summarise"]:
    """Done when the answer passed; again while attempts are left; then a human, where the run asks for one."""
    context = runtime.context or Context()
    if state.verdicts[-1].passed:
        return "summarise"
    if len(state.attempts) < context.max_attempts:
        return "monitor_resources"
    return "ask_human" if context.approve else "summarise"


def after_human(state: RunState) -> Literal["monitor_resources", "summarise"]:
    """Once more when the human says so, else to the end."""
    assert state.decision is not None, "ask_human runs first"
    return "monitor_resources" if state.decision.decision == "retry" else "summarise"
