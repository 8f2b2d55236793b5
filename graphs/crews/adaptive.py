"""Adaptive: after each agent it is decided who goes on, or that it is enough; begins with the first agent."""

from __future__ import annotations

from functools import partial

from graphs.crews.steps import step_of, team_of
from graphs.teams import RETRY, TeamGraph, frame
from nodes.teams.decide import after_decide, decide
from nodes.teams.steps import ATTEMPTS
from state.agent_ports import AgentNeeds
from state.flows import CrewSpec


def build(crew: CrewSpec, needs: AgentNeeds) -> TeamGraph:
    """The graph of a crew in a loop of at most `decision.max_steps` turns."""
    names = tuple(agent.agent_id for agent in crew.agents)
    team = team_of(crew, [step_of(crew, agent) for agent in crew.agents], sees="all", choices=names)
    graph = frame(team, needs)
    graph.add_node(
        "decide",
        partial(decide, team=team, decision=crew.decision, models=needs.models),
        retry_policy=RETRY._replace(max_attempts=ATTEMPTS),
    )
    graph.add_edge("begin", names[0])
    for name in names:
        graph.add_edge(name, "decide")
    graph.add_conditional_edges("decide", partial(after_decide, team=team), [*names, "finish"])
    return graph
