"""Sequential: one agent after the other, each told the last good answer; one that fails is passed over."""

from __future__ import annotations

from itertools import pairwise

from graphs.crews.steps import step_of, team_of
from graphs.teams import TeamGraph, wire
from state.agent_ports import AgentNeeds
from state.flows import CrewSpec


def build(crew: CrewSpec, needs: AgentNeeds) -> TeamGraph:
    """The graph of a crew in its order."""
    before = {agent.agent_id: (earlier.agent_id,) for earlier, agent in pairwise(crew.agents)}
    steps = [step_of(crew, agent, before.get(agent.agent_id, ())) for agent in crew.agents]
    return wire(team_of(crew, steps, sees="last"), needs)
