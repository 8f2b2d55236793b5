"""What agents were told in a run, as messages: the log in its checkpoint and in the table say the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from state.crew_run import StepOutcome
from state.messages import CLIENT, AgentMessage


def to_step(
    run_id: UUID | None,
    step: str,
    visit: int,
    *,
    agents: Iterable[str],
    sources: Sequence[StepOutcome],
    asked: Mapping[str, Any],
    at: datetime,
) -> list[AgentMessage]:
    """To each agent that was asked: from those whose answers it was told; from the client where there are none.

    `visit` counts how often the step ran before, in this run.
    """
    told = [(source.step, source.agent_id, {"output": source.output}) for source in sources]
    told = told or [(CLIENT, CLIENT, {"input": dict(asked)})]
    return [
        _message(run_id, (from_step, step, f"{visit}", to), from_agent=sender, to_agent=to, payload=payload, at=at)
        for to in dict.fromkeys(agents)
        for from_step, sender, payload in told
    ]


def to_client(run_id: UUID | None, sources: Sequence[StepOutcome], at: datetime) -> list[AgentMessage]:
    """From those whose answers are the output."""
    return [
        _message(
            run_id,
            (source.step, "", "", CLIENT),
            from_agent=source.agent_id,
            to_agent=CLIENT,
            payload={"output": source.output},
            at=at,
        )
        for source in sources
    ]


def _message(run_id: UUID | None, edge: tuple[str, str, str, str], *, at: datetime, **told: Any) -> AgentMessage:
    """Its id is that of its edge: a step that runs again after a crash says the same message, not another one."""
    from_step, step, visit, to = edge
    return AgentMessage(
        message_id=uuid5(run_id or NAMESPACE_OID, f"{from_step}>{step}>{visit}>{to}"),
        execution_id=run_id,
        metadata={"from_step": from_step, "step": step} if step else {"from_step": from_step},
        timestamp=at,
        **told,
    )
