"""What became of a step, told three ways: its outcome, its lines of the log, its event in the stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nodes.agents.calling import Answered, NoAnswer
from nodes.teams.steps import Step
from state.crew_run import LogEntry, StepOutcome, Tried
from state.errors import LabError


@dataclass(frozen=True)
class Turn:
    """One attempt of one step."""

    step: Step
    started: datetime
    """Of the first attempt."""
    attempt: int


def answered_outcome(turn: Turn, answered: Answered, now: datetime) -> StepOutcome:
    """Of a step that has an answer, of whichever agent."""
    reply = answered.reply
    return StepOutcome(
        step=turn.step.id,
        agent_id=answered.agent_id,
        agent_name=answered.agent_name,
        agent_class=answered.agent_class,
        status="completed",
        output=reply.output,
        text=reply.text,
        attempts=answered.attempts,
        tried=answered.tried,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        model=reply.model,
        next=reply.next,
        **_times(turn, now),
    )


def failed_outcome(turn: Turn, error: LabError, now: datetime, *, attempts: int) -> StepOutcome:
    """Of a step that nobody answered. `attempts`: the calls, where the error does not say."""
    tried = error.tried if isinstance(error, NoAnswer) else (Tried(agent_id=called(turn.step), error=str(error)),)
    return StepOutcome(
        step=turn.step.id,
        agent_id=tried[-1].agent_id if tried else called(turn.step),
        agent_name=(error.agent_name if isinstance(error, NoAnswer) else "") or name_of(turn.step),
        agent_class=(error.agent_class if isinstance(error, NoAnswer) else "") or class_of(turn.step),
        status="failed",
        error=str(error) or type(error).__name__,
        attempts=error.attempts if isinstance(error, NoAnswer) else attempts,
        tried=tried,
        **_times(turn, now),
    )


def skipped_outcome(turn: Turn, now: datetime) -> StepOutcome:
    """Of a step that had nothing to build on."""
    return StepOutcome(
        step=turn.step.id,
        agent_id=called(turn.step),
        agent_name=name_of(turn.step),
        agent_class=class_of(turn.step),
        status="skipped",
        error=f"nothing to build on: {', '.join(turn.step.depends_on)} gave no answer",
        **_times(turn, now),
    )


def log_of(outcome: StepOutcome) -> list[LogEntry]:
    """The step's lines: that it started, each agent that was asked in vain, how it ended."""
    step, end = outcome.step, outcome.ended_at
    if outcome.status == "skipped":
        return [LogEntry(at=end, event="skipped", step=step, agent_id=outcome.agent_id, detail=outcome.error or "")]
    first = outcome.tried[0].agent_id if outcome.tried else outcome.agent_id
    lines = [LogEntry(at=outcome.started_at, event="started", step=step, agent_id=first)]
    if outcome.status == "failed":
        return [*lines, LogEntry(at=end, event="failed", step=step, agent_id=first, detail=outcome.error or "")]
    lines += [
        LogEntry(at=end, event="fallback", step=step, agent_id=outcome.agent_id, detail=f"{one.agent_id}: {one.error}")
        for one in outcome.tried
    ]
    detail = f"{outcome.seconds:.3f} s, attempts: {outcome.attempts}"
    return [*lines, LogEntry(at=end, event="completed", step=step, agent_id=outcome.agent_id, detail=detail)]


def event_of(outcome: StepOutcome) -> dict[str, Any]:
    """What a stream is told when a step has ended: `fallback` where another agent has answered."""
    told = {"event": "agent", "step": outcome.step, "agent_id": outcome.agent_id, "status": outcome.status}
    if outcome.status != "completed":
        return {**told, "error": outcome.error, "seconds": outcome.seconds}
    done = {**told, "text": outcome.text, "seconds": outcome.seconds}
    if not outcome.tried:
        return done
    return {**done, "status": "fallback", "tried": [one.model_dump() for one in outcome.tried]}


def called(step: Step) -> str:
    """Who is meant to answer, as far as the definition says."""
    return step.agent_id or (step.agent.agent_id if step.agent else None) or step.capability or step.id


def name_of(step: Step) -> str:
    """The name of who is meant to answer, as far as the definition says."""
    return (step.agent.name if step.agent else "") or called(step)


def class_of(step: Step) -> str:
    return step.agent.agent_class if step.agent else "" if step.kind == "agent" else step.kind


def _times(turn: Turn, now: datetime) -> dict[str, Any]:
    seconds = round((now - turn.started).total_seconds(), 6)
    return {"started_at": turn.started, "ended_at": now, "seconds": max(seconds, 0.0)}
