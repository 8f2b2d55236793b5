"""Parallel: all agents at once, as many at a time as the crew allows; then one answer, by an agent or as a list."""

from __future__ import annotations

from graphs.crews.steps import step_of, team_of
from graphs.teams import TeamGraph, wire
from state.agent_ports import AgentNeeds
from state.flows import CrewSpec


def build(crew: CrewSpec, needs: AgentNeeds) -> TeamGraph:
    """The graph of a crew that fans out; its aggregator, where it has one, is told all the others' answers."""
    workers = tuple(agent.agent_id for agent in crew.agents if agent.agent_id != crew.aggregator)
    steps = [step_of(crew, agent, workers if agent.agent_id == crew.aggregator else ()) for agent in crew.agents]
    exits = (crew.aggregator,) if crew.aggregator else ()
    return wire(team_of(crew, steps, exits=exits, combines=not exits), needs)
