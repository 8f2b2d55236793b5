"""A parallel crew's answers as one, where no agent of the crew does that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from nodes.teams.inputs import latest
from nodes.teams.steps import Team
from nodes.teams.texts import told
from state.crew_run import CrewState, LogEntry, StepOutcome


async def aggregate(state: CrewState, *, team: Team) -> dict[str, object]:
    """Reads `outcomes`; appends to `log`.

    The text is made by `finish`, out of the same answers: in a channel of its own it would be in every checkpoint from
    here on, as Postgres keeps texts with each of them.
    """
    answers = sum(outcome.status == "completed" for outcome in latest(state.outcomes).values())
    return {"log": [LogEntry(at=datetime.now(UTC), event="combined", detail=f"{answers} of {len(team.steps)} answers")]}


def combine(team: Team, outcomes: Sequence[StepOutcome]) -> str:
    """`name: answer` of each agent in the crew's order, whoever was first; a single answer as it is."""
    by_step = latest(outcomes)
    answered = [(step.label, by_step[step.id]) for step in team.steps if step.id in by_step]
    texts = [(label, outcome.text) for label, outcome in answered if outcome.status == "completed"]
    return texts[0][1] if len(texts) == 1 else told(texts)
