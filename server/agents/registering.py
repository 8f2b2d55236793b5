"""What an agent has to be before it is registered: of a class that there is, at an address that may be called."""

from __future__ import annotations

from collections.abc import Sequence

from nodes.agents.a2a import card_of
from nodes.agents.asking import tools_named
from nodes.agents.kinds import kind_of
from server.addresses import Network
from server.agents.client import check_endpoint
from server.db.agent_shapes import REMOTE_CLASSES
from state.agent_ports import AgentKind, AgentNeeds
from state.agents import NewAgent
from state.errors import BadRequest
from state.flows import AgentSpec
from state.messages import CLIENT

A2A = "A2AAgent"
RESERVED_IDS = frozenset({CLIENT, "capabilities", "types"})
"""Whoever starts an execution, in its messages; and paths below /agents."""


async def checked(agent: NewAgent, needs: AgentNeeds, networks: Sequence[Network], *, moved: bool = True) -> NewAgent:
    """`agent` as it is kept: its class by its own name, its endpoint in one form.

    Not `moved`: the endpoint is the one that is kept already. It is looked at again whenever it is called, and a name
    that has no address today is no reason to refuse a new description.
    One that is nowhere may be registered where nobody says of which class it is: it lives by messages and heartbeats.
    Raises BadRequest: an unknown class or tool, a config that cannot work, an endpoint that may not be called or that
    its class needs, a reserved id.
    """
    if agent.agent_id in RESERVED_IDS:
        raise BadRequest(f"agent_id: '{agent.agent_id}' names something else; choose another id")
    kind = kind_of(agent.agent_class, needs.kinds())
    endpoint = agent.endpoint
    if moved and endpoint is None and kind.name in REMOTE_CLASSES and "agent_class" in agent.model_fields_set:
        raise BadRequest(f"endpoint: an agent of class {kind.name} needs one; leave the class out where it has none")
    if endpoint is not None and moved:
        endpoint = await check_endpoint(endpoint, networks)
    agent = _with(agent, agent_class=kind.name, endpoint=endpoint)
    check_kind(agent, kind)
    tools_named(agent.tools, needs.tools, agent.agent_id)
    return agent


async def described(agent: NewAgent, needs: AgentNeeds) -> NewAgent:
    """A checked agent; of one that speaks A2A, its card says what nobody else has said.

    Raises what `nodes.agents.a2a.card_of` raises, where a card is asked for.
    """
    missing = [name for name in ("name", "description", "capabilities") if not getattr(agent, name)]
    if agent.agent_class != A2A or not missing or agent.endpoint is None:
        return agent
    card = await card_of(agent.endpoint, needs, agent.api_key)
    said = {"name": card.name[:200], "description": card.description[:2_000], "capabilities": card.capabilities[:64]}
    return _with(agent, **{name: said[name] for name in missing})


def check_kind(agent: NewAgent, kind: AgentKind) -> None:
    """What the kind says to the agent's config. Raises BadRequest.

    One that is called nowhere, though its class is, may be registered: it lives by messages and heartbeats.
    """
    remote = kind.name in REMOTE_CLASSES
    if remote and agent.endpoint is None:
        if kind.name == A2A:
            raise BadRequest(f"endpoint: an agent of class {A2A} needs one, where its card is")
        return
    kind.check(
        AgentSpec(
            agent_id=agent.agent_id,
            name=agent.name,
            agent_class=kind.name,
            config={**agent.config, "endpoint": agent.endpoint} if remote else agent.config,
            tools=agent.tools,
            system_prompt=agent.system_prompt,
        )
    )


def _with(agent: NewAgent, **changes: object) -> NewAgent:
    """A copy. What was named stays named: a key that was not must not look as if it was."""
    return agent.model_copy(update=changes)
