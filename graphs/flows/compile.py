"""The graph `flow`: a flow's definition out of a run's configuration, as a DAG of its nodes.

A saved flow is an assistant of this graph with the definition in `config.configurable.flow`. Without one it is the
shipped research-write-review.
"""

from __future__ import annotations

from collections.abc import Mapping

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from graphs.flows.check import Known, checked
from graphs.flows.load import flow_from
from graphs.flows.shipped import default_flow
from graphs.services import Services, local_services
from graphs.teams import TeamGraph, needs_of, wire
from nodes.agents.builtin import builtin_agents
from nodes.teams.kinds import AGENT, StepKind, shipped_step_kinds
from nodes.teams.steps import Step, Team
from state.agent_ports import AgentNeeds
from state.agents import NewAgent
from state.crew_run import CrewContext, CrewInput, CrewOutput, CrewState
from state.flows import AgentSpec, FlowNode, FlowSpec

FlowGraph = CompiledStateGraph[CrewState, CrewContext, CrewInput, CrewOutput]


def build(flow: FlowSpec, needs: AgentNeeds, *, kinds: Mapping[str, StepKind] | None = None) -> TeamGraph:
    """The graph of a flow. Raises FlowErrors, a BadRequest, with every mistake; agents are looked up by the run.

    `kinds`: of steps that are no agent's turn, by default the shipped ones.
    """
    kinds = shipped_step_kinds() if kinds is None else kinds
    checked(flow, Known(tools=needs.tools.keys(), kinds=kinds))
    return wire(team_of(flow, needs), needs, kinds=kinds)


def build_from(services: Services, config: RunnableConfig) -> TeamGraph:
    """The graph of the flow that a configuration holds. Raises as `build`."""
    return build(flow_of(config), needs_of(services))


def flow_of(config: RunnableConfig) -> FlowSpec:
    """The definition in `configurable.flow`, or the shipped one. Raises BadRequest for what is none."""
    said = (config.get("configurable") or {}).get("flow")
    if said is None:
        return default_flow()
    return said if isinstance(said, FlowSpec) else flow_from(said)


def make_graph(config: RunnableConfig) -> FlowGraph:
    """The factory that `langgraph.json` names."""
    return build_from(local_services(), config).compile(name="flow")


def team_of(flow: FlowSpec, needs: AgentNeeds) -> Team:
    """A flow's nodes as the steps of a team."""
    alone = needs.directory is None
    return Team(
        kind="flow",
        id=flow.flow_id,
        name=flow.name,
        mode="flow",
        steps=tuple(step_of(node, alone=alone) for node in flow.nodes),
        exits=flow.exit_points,
        metadata={**flow.metadata, "version": flow.version},
    )


def step_of(node: FlowNode, *, alone: bool = False) -> Step:
    """One node's step. `alone`: where no agents are registered the built-in ones are each flow's own."""
    own = own_agent(node) if alone and node.type == AGENT else None
    return Step(
        id=node.id,
        kind=node.type,
        name=node.name,
        agent=own,
        agent_id=None if own else node.agent_id,
        capability=None if own else node.capability,
        depends_on=node.depends_on,
        config=node.config,
    )


def own_agent(node: FlowNode) -> AgentSpec | None:
    """The built-in agent that a node names, by its id or by what it can do, as an agent of the flow's own."""
    for agent in builtin_agents():
        if agent.agent_id == node.agent_id or node.capability in agent.capabilities:
            return spec_of(agent)
    return None


def spec_of(agent: NewAgent) -> AgentSpec:
    return AgentSpec(
        agent_id=agent.agent_id,
        name=agent.name,
        agent_class=agent.agent_class,
        config=agent.config,
        tools=agent.tools,
        system_prompt=agent.system_prompt,
    )
