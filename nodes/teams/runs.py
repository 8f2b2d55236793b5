"""What a node of a crew or a flow knows of its run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from langgraph.runtime import Runtime

from state.agent_ports import AgentNeeds
from state.crew_run import CrewContext
from state.errors import LabError
from state.messages import AgentMessage

log = logging.getLogger(__name__)


def run_id_of(runtime: Runtime[CrewContext]) -> UUID | None:
    """The run, which is the execution; None for a bare graph that was given no id."""
    said = runtime.execution_info.run_id if runtime.execution_info else None
    try:
        return UUID(said) if said else None
    except ValueError:
        return None


def thread_id_of(runtime: Runtime[CrewContext]) -> str | None:
    return runtime.execution_info.thread_id if runtime.execution_info else None


def attempt_of(runtime: Runtime[CrewContext]) -> int:
    """The number of this attempt of the node; the first is 1."""
    return runtime.execution_info.node_attempt if runtime.execution_info else 1


def note(needs: AgentNeeds, run_id: UUID | None, messages: Sequence[AgentMessage]) -> None:
    """As `record`, without waiting: a commit a step would be much of what a quick agent costs. `finish` records all."""
    if needs.messages is None or run_id is None or not messages:
        return
    try:
        needs.messages.note(messages)
    except LabError:
        log.warning("%d messages of run %s are not in the history", len(messages), run_id, exc_info=True)


async def record(needs: AgentNeeds, run_id: UUID | None, messages: Sequence[AgentMessage]) -> None:
    """Keep messages for the history of the execution.

    The checkpoint of the step holds them, too. So a table that cannot be written, or a message that is too large for
    it, is told in the log and costs no answer.
    """
    if needs.messages is None or run_id is None or not messages:
        return
    try:
        await needs.messages.record(messages)
    except LabError:
        log.warning("%d messages of run %s are not in the history", len(messages), run_id, exc_info=True)
