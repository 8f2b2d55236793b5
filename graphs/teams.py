"""What the graphs of crews and flows have in common: `begin`, a node for each step, `finish`.

A step never fails the graph (`nodes.teams.step`), so joins always fire: a failed step has an outcome that says so, and
those after it go on with what there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy

from graphs.flows.order import supersteps
from graphs.services import Services
from nodes.agents.kinds import shipped_kinds
from nodes.teams.aggregate import aggregate
from nodes.teams.begin import begin
from nodes.teams.finish import finish
from nodes.teams.kinds import StepKind, shipped_step_kinds
from nodes.teams.places import Places
from nodes.teams.shared import Blackboards
from nodes.teams.step import Stepping, run_step
from nodes.teams.steps import Step, Team, attempts_of
from state.agent_ports import AgentNeeds
from state.crew_run import CrewContext, CrewInput, CrewOutput, CrewState
from state.errors import CircuitOpen, Unavailable


def may_retry(error: Exception) -> bool:
    """Whether asking again may help; an agent that rests is not asked again at once."""
    return isinstance(error, Unavailable) and not isinstance(error, CircuitOpen)


RETRY = RetryPolicy(initial_interval=0.5, backoff_factor=2.0, max_interval=30.0, jitter=True, retry_on=may_retry)
"""Seconds; how many attempts is the step's `config.attempts`."""


TeamGraph: TypeAlias = StateGraph[CrewState, CrewContext, CrewInput, CrewOutput]


def needs_of(services: Services) -> AgentNeeds:
    """What agents are built over; without a server the models and tools alone, and no registered agents."""
    if services.agents is not None:
        return services.agents
    return AgentNeeds(
        models=services.models,
        tools={tool.name: tool for tool in services.tools},
        kinds=shipped_kinds,
        request_timeout_sec=services.request_timeout_sec,
    )


def wire(
    team: Team, needs: AgentNeeds, *, kinds: Mapping[str, StepKind] | None = None, retry: RetryPolicy = RETRY
) -> TeamGraph:
    """The graph of a team whose steps depend on each other as a DAG: each begins when all that it depends on ended.

    `kinds`: of the steps that are no agent's turn, by default the shipped ones.
    """
    team = in_order(team)
    graph = frame(team, needs, kinds=kinds, retry=retry)
    for step in team.steps:
        _join(graph, step.depends_on or ("begin",), step.id)
    needed = {name for step in team.steps for name in step.depends_on}
    last = [step.id for step in team.steps if step.id not in needed]
    if team.combines:
        graph.add_node("aggregate", partial(aggregate, team=team))
        _join(graph, last, "aggregate")
        last = ["aggregate"]
    _join(graph, last, "finish")
    return graph


def in_order(team: Team) -> Team:
    """A team whose steps stand in the order in which they run; those that run at once as they are written."""
    steps = {step.id: step for step in team.steps}
    rounds = supersteps({step.id: step.depends_on for step in team.steps})
    return replace(team, steps=tuple(steps[name] for together in rounds for name in together))


def frame(
    team: Team, needs: AgentNeeds, *, kinds: Mapping[str, StepKind] | None = None, retry: RetryPolicy = RETRY
) -> TeamGraph:
    """`begin`, the steps' nodes and `finish`, with no edges between them yet."""
    graph = StateGraph(CrewState, context_schema=CrewContext, input_schema=CrewInput, output_schema=CrewOutput)
    # LangGraph's max_concurrency would hold up more than the steps: an answer is not written, and would be asked for
    # again after a crash, before each step that waits has had its turn.
    stepping = Stepping(
        team, needs, Blackboards(), shipped_step_kinds() if kinds is None else kinds, Places(team.max_parallel)
    )
    graph.add_node("begin", partial(begin, team=team))
    for step in team.steps:
        add_step(graph, step, stepping, retry)
    graph.add_node("finish", partial(finish, team=team, needs=needs))
    graph.add_edge(START, "begin")
    graph.add_edge("finish", END)
    return graph


def add_step(graph: TeamGraph, step: Step, stepping: Stepping, retry: RetryPolicy) -> None:
    """The node of one step, named by its id."""
    graph.add_node(
        step.id,
        partial(run_step, step=step, stepping=stepping),
        metadata={"agent": step.name} if step.name else None,
        retry_policy=retry._replace(max_attempts=attempts_of(step.config)),
    )


def _join(graph: TeamGraph, sources: Sequence[str], target: str) -> None:
    graph.add_edge(sources[0] if len(sources) == 1 else list(sources), target)
