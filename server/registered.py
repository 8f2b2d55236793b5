"""Names in crews and flows, held against what is registered now."""

from __future__ import annotations

from collections.abc import Iterable

from graphs.flows.check import Known
from nodes.agents.calling import REMOTE_KINDS
from nodes.agents.kinds import kind_of
from state.agent_ports import AgentDirectory, AgentNeeds
from state.errors import Conflict, NotFound
from state.flows import AgentSpec


async def check_registered(needs: AgentNeeds, whose: str, agents: Iterable[AgentSpec]) -> None:
    """Whether every registered agent that a crew's agents stand for is there and switched on.

    Raises Conflict with the first that is not, NoDatabase.
    """
    if needs.directory is None:
        return
    for spec in agents:
        agent_id = spec.config.get("agent_id")
        if isinstance(agent_id, str) and kind_of(spec.agent_class, needs.kinds()).name in REMOTE_KINDS:
            await _check(needs.directory, f"{whose}: agent '{spec.agent_id}'", agent_id)


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
