"""A parallel crew's answers as one, where no agent of the crew does that."""

from __future__ import annotations

from nodes.teams.inputs import latest
from nodes.teams.steps import Team
from nodes.teams.texts import told
from state.crew_run import CrewState, StepOutcome


async def aggregate(state: CrewState, *, team: Team) -> dict[str, object]:
    """Reads `outcomes`; writes `combined`."""
    return {"combined": combine(team, state.outcomes)}


def combine(team: Team, outcomes: list[StepOutcome]) -> str:
    """`name: answer` of each agent in the crew's order, whoever was first; a single answer as it is."""
    by_step = latest(outcomes)
    answered = [(step.label, by_step[step.id]) for step in team.steps if step.id in by_step]
    texts = [(label, outcome.text) for label, outcome in answered if outcome.status == "completed"]
    return texts[0][1] if len(texts) == 1 else told(texts)
