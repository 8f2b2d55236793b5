"""Edge functions of the orchestrator: state in, the name of the next node out."""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from state.context import Context
from state.run import RunState


def after_execute(state: RunState) -> Literal["call_tools", "validate_answer"]:
    """To the tools while the planned attempt is unfinished: the model asked for them. Else to the validator."""
    assert state.plan is not None, "monitor_resources runs first"
    return "validate_answer" if len(state.attempts) >= state.plan.attempt else "call_tools"


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
