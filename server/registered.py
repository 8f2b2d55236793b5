"""Names in crews and flows, held against what is registered now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphs.flows.check import Known
from nodes.agents.calling import REMOTE_KINDS
from nodes.agents.kinds import kind_of
from server.addresses import Network
from server.agents.client import check_endpoint
from state.agent_ports import AgentDirectory, AgentNeeds
from state.errors import BadRequest, Conflict, NotFound
from state.flows import AgentSpec


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


async def known_names(needs: AgentNeeds) -> Known:
    """What a flow may name now. Raises NoDatabase."""
    agents = None if needs.directory is None else await needs.directory.find()
    return Known(
        agents=None if agents is None else {agent.agent_id for agent in agents},
        capabilities=None if agents is None else {capability for agent in agents for capability in agent.capabilities},
        tools=set(needs.tools),
    )
