"""A crew's agents as the steps of a team."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.teams.steps import Sees, Step, Team
from state.flows import AgentSpec, CrewSpec


def step_of(crew: CrewSpec, agent: AgentSpec, depends_on: Sequence[str] = ()) -> Step:
    """One agent's step, named by its id. Tools that the crew shares are its own, too."""
    tools = tuple(dict.fromkeys((*agent.tools, *crew.shared_tools)))
    return Step(
        id=agent.agent_id,
        name=agent.name,
        agent=agent.model_copy(update={"tools": tools}),
        depends_on=tuple(depends_on),
        config=agent.config,
    )


def team_of(
    crew: CrewSpec,
    steps: Sequence[Step],
    *,
    sees: Sees = "needed",
    exits: tuple[str, ...] = (),
    combines: bool = False,
    choices: tuple[str, ...] = (),
) -> Team:
    """What a crew's steps have in common."""
    return Team(
        kind="crew",
        id=crew.crew_id,
        name=crew.name,
        mode=crew.execution_mode,
        steps=tuple(steps),
        sees=sees,
        exits=exits,
        combines=combines,
        choices=choices,
        max_parallel=crew.max_parallel_tasks,
        metadata=crew.metadata,
    )
