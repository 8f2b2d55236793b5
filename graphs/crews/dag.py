"""Flow: agents as a DAG; each begins when all agents that its relations name as sources have ended."""

from __future__ import annotations

from graphs.crews.steps import step_of, team_of
from graphs.teams import TeamGraph, wire
from state.agent_ports import AgentNeeds
from state.flows import CrewSpec


def build(crew: CrewSpec, needs: AgentNeeds) -> TeamGraph:
    """The graph of a crew's relations.

    Agents that are no target begin; the answers of those that are no source are the output.
    """
    sources = sources_of(crew)
    steps = [step_of(crew, agent, sources[agent.agent_id]) for agent in crew.agents]
    inner = {name for names in sources.values() for name in names}
    exits = tuple(agent.agent_id for agent in crew.agents if agent.agent_id not in inner)
    return wire(team_of(crew, steps, exits=exits), needs)


def sources_of(crew: CrewSpec) -> dict[str, tuple[str, ...]]:
    """For each agent those that end before it begins, in the crew's order."""
    pairs = {
        (source, target) for relation in crew.flow_relations for source in relation.source for target in relation.target
    }
    names = [agent.agent_id for agent in crew.agents]
    return {target: tuple(source for source in names if (source, target) in pairs) for target in names}
