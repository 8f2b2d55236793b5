"""Names in crews and flows, held against what is registered now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from graphs.flows.check import Known, check_flow
from graphs.flows.faults import Fault, FlowErrors, Positions, in_order
from nodes.agents.candidates import REMOTE_KINDS
from nodes.agents.kinds import kind_of
from nodes.agents.remote import secret_in
from nodes.teams.kinds import AGENT
from server.addresses import Network
from server.agents.client import check_endpoint
from state.agent_ports import AgentDirectory, AgentNeeds
from state.agents import AgentRecord
from state.errors import BadRequest, Conflict, NotFound
from state.flows import AgentSpec, CrewSpec, FlowNode, FlowSpec

MODEL_KEYS: Mapping[str, str] = {"ChatAgent": "model", "EvaluatorAgent": "judge"}
"""By kind: what of its config names a model."""
GRAPH_KEYS = ("graph", "assistant_id")
"""What of a GraphAgent's config names a graph."""


async def check_registered(needs: AgentNeeds, whose: str, agents: Iterable[AgentSpec]) -> None:
    """Whether every registered agent that a crew's agents stand for is there and switched on.

    Raises Conflict with the first that is not, NoDatabase.
    """
    if needs.directory is None:
        return
    for spec in _remote(needs, agents):
        agent_id = spec.config.get("agent_id")
        if isinstance(agent_id, str):
            await _check(needs.directory, f"{whose}: agent '{spec.agent_id}'", agent_id)


async def check_addresses(needs: AgentNeeds, agents: Iterable[AgentSpec], networks: Sequence[Network]) -> None:
    """Whether the endpoints that a crew's agents name may be called; they are looked at again when they are.

    Raises BadRequest with the first that may not.
    """
    for spec in _remote(needs, agents):
        endpoint = spec.config.get("endpoint")
        if isinstance(endpoint, str):
            try:
                await check_endpoint(endpoint, networks)
            except BadRequest as error:
                raise BadRequest(f"agent '{spec.agent_id}': {error}") from None


def _remote(needs: AgentNeeds, agents: Iterable[AgentSpec]) -> list[AgentSpec]:
    return [spec for spec in agents if kind_of(spec.agent_class, needs.kinds()).name in REMOTE_KINDS]


async def _check(directory: AgentDirectory, whose: str, agent_id: str) -> None:
    try:
        found = await directory.get(agent_id)
    except NotFound as error:
        raise Conflict(f"{whose} needs a registered agent that is not there: {error}") from None
    if not found.enabled:
        raise Conflict(f"{whose} needs the agent '{agent_id}', which is switched off; PATCH /agents/{agent_id}")


async def check_crew_settings(needs: AgentNeeds, crew: CrewSpec) -> None:
    """Whether the models and graphs that a crew's agents and its decision name are there.

    Raises FlowErrors, a BadRequest, which says what there is; NoDatabase.
    """
    faults = []
    for index, spec in enumerate(crew.agents):
        kind = kind_of(spec.agent_class, needs.kinds()).name
        for key, told in await _missing(needs, kind, spec.config):
            faults.append(Fault(told, ("agents", index, "config", key)))
    if told := _no_model(needs, crew.decision.model):
        faults.append(Fault(told, ("decision", "model")))
    if faults:
        raise FlowErrors(faults)


async def flow_faults(needs: AgentNeeds, flow: FlowSpec, positions: Positions | None = None) -> list[Fault]:
    """Every mistake of a flow, its names held against what there is now. Raises NoDatabase."""
    agents = await agents_for(needs, [flow])
    at, found = positions or Positions(), check_flow(flow, known_of(needs, agents), positions)
    for index, node in enumerate(flow.nodes):
        asked = [agent for agent in agents or () if _may_answer(agent, node)] if node.type == AGENT else []
        told = [
            one for kind in sorted({agent.agent_class for agent in asked}) for one in await _misset(needs, kind, node)
        ]
        found += [at.fault(("nodes", index, "config", key), line) for key, line in dict(told).items()]
    return in_order(found)


def _may_answer(agent: AgentRecord, node: FlowNode) -> bool:
    return agent.agent_id == node.agent_id or node.capability in agent.capabilities


async def _misset(needs: AgentNeeds, kind: str, node: FlowNode) -> list[tuple[str, str]]:
    """What is wrong in a node's config for an agent of this kind: the key, and why."""
    if kind not in REMOTE_KINDS:
        return await _missing(needs, kind, node.config)
    told = [(secret.partition(" ")[0], f"node '{node.id}': {secret}")] if (secret := secret_in(node.config)) else []
    if "endpoint" in node.config:
        told.append(("endpoint", f"node '{node.id}': flows call registered agents; register the one at this endpoint"))
    return told


async def _missing(needs: AgentNeeds, kind: str, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Models and graphs that a config names and that there are not: the key, and what there is."""
    if key := MODEL_KEYS.get(kind):
        told = _no_model(needs, config.get(key))
        return [(key, told)] if told else []
    found, graphs = [], needs.graphs if kind == "GraphAgent" else None
    for key in GRAPH_KEYS:
        if graphs is not None and isinstance(name := config.get(key), str):
            try:
                await graphs.check(name)
            except NotFound as error:
                found.append((key, str(error)))
    return found


def _no_model(needs: AgentNeeds, name: object) -> str:
    """That there is no such model, and which there are; empty where there is, or where none is named."""
    if isinstance(name, str):
        try:
            needs.models.card(name)
        except NotFound as error:
            return str(error)
    return ""


async def agents_for(needs: AgentNeeds, flows: Iterable[FlowSpec]) -> list[AgentRecord] | None:
    """Agents that flows may name: the first ones that there are, and each that these do name. Raises NoDatabase.

    None: there is no registry.
    """
    if needs.directory is None:
        return None
    found = {agent.agent_id: agent for agent in await needs.directory.find()}
    for node in (node for flow in flows for node in flow.nodes):
        if node.capability is not None and not any(node.capability in one.capabilities for one in found.values()):
            found |= {one.agent_id: one for one in await needs.directory.find(capability=node.capability)}
        if node.agent_id is not None and node.agent_id not in found:
            with suppress(NotFound):
                one = await needs.directory.get(node.agent_id)
                if one.enabled and (one.endpoint is not None or one.agent_class not in REMOTE_KINDS):
                    found[one.agent_id] = one
    return [*found.values()]


async def known_names(needs: AgentNeeds, *flows: FlowSpec) -> Known:
    """What these flows may name now. Raises NoDatabase."""
    return known_of(needs, await agents_for(needs, flows))


def known_of(needs: AgentNeeds, agents: Sequence[AgentRecord] | None) -> Known:
    """The names of these agents, of what they can, and of the tools."""
    return Known(
        agents=None if agents is None else {agent.agent_id for agent in agents},
        capabilities=None if agents is None else {capability for agent in agents for capability in agent.capabilities},
        tools=set(needs.tools),
    )
