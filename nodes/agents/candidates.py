"""Who can answer a step: whoever it names, and who can do the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nodes.agents.breaker import decide
from nodes.agents.kinds import kind_of
from nodes.agents.remote import endpoint_of, travelling
from nodes.teams.steps import Step
from state.agent_ports import AgentCall, AgentDirectory, AgentNeeds
from state.agents import AgentRecord
from state.errors import BadRequest, NotFound
from state.flows import AgentSpec

MAX_FALLBACKS = 5
"""Agents asked in the place of the first one."""
REMOTE_KINDS = frozenset({"HttpAgent", "A2AAgent"})
"""Kinds whose config may name a registered agent by `agent_id` or `endpoint`."""


@dataclass(frozen=True)
class Candidate:
    """Somebody to ask: one of the crew's own, or (`record`) a registered agent."""

    spec: AgentSpec
    record: AgentRecord | None = None


async def primary(step: Step, call: AgentCall, needs: AgentNeeds) -> Candidate:
    """Who is meant. Raises BadRequest, NotFound: nobody is."""
    if step.agent is not None:
        return await _own(step.agent, call, needs)
    if step.agent_id is not None:
        return _registered(await directory_of(needs).get(step.agent_id), call)
    if step.capability is None:
        raise BadRequest(f"step '{step.id}' names no agent and no capability")
    able = await directory_of(needs).find(capability=step.capability)
    if able:
        return _registered(first_of(able, datetime.now(UTC)), call)
    raise NotFound(f"no agent with the capability '{step.capability}' is registered and switched on")


def first_of(able: Sequence[AgentRecord], now: datetime) -> AgentRecord:
    """Of these, in their order: one that may be called, before one that rests, before one that is offline.

    One whose rest is over keeps its place: nobody else would find out that it is back.
    """
    return min(able, key=lambda record: (not record.healthy, decide(record.breaker, now) == "open"))


async def _own(spec: AgentSpec, call: AgentCall, needs: AgentNeeds) -> Candidate:
    """A crew's own agent; one that stands for a registered agent is that one, with its key and its breaker."""
    kind = kind_of(spec.agent_class, needs.kinds())
    if kind.name not in REMOTE_KINDS:
        return Candidate(spec)
    match spec.config:
        case {"agent_id": str(agent_id)}:
            return _registered(await directory_of(needs).get(agent_id), call)
        case {"endpoint": str(endpoint)} if needs.directory is not None:
            for record in await needs.directory.find(endpoint=endpoint_of(endpoint)):
                # One of another class at the same address is spoken to in another way.
                if record.agent_class == kind.name:
                    return _registered(record, call)
    return Candidate(spec)


def directory_of(needs: AgentNeeds) -> AgentDirectory:
    if needs.directory is None:
        raise BadRequest("registered agents can be called on a server only; here a crew's own agents can")
    return needs.directory


def _registered(record: AgentRecord, call: AgentCall) -> Candidate:
    """A registered agent, asked with its own config and, above that, the definition's."""
    spec = AgentSpec(
        agent_id=record.agent_id,
        name=record.name,
        agent_class=record.agent_class,
        config={**record.config, **travelling(call.config)},
        tools=record.tools,
        system_prompt=record.system_prompt,
    )
    return Candidate(spec, record)


async def others(step: Step, first: Candidate, needs: AgentNeeds, call: AgentCall) -> AsyncIterator[Candidate]:
    """Healthy agents that can do the same and do not rest, the least busy first, none twice, at most MAX_FALLBACKS."""
    able = first.record.capabilities if first.record is not None else ()
    seen = {first.spec.agent_id}
    for capability in [step.capability] if step.capability is not None else able:
        for record in await directory_of(needs).find(capability=capability):
            if len(seen) > MAX_FALLBACKS:
                return
            rests = decide(record.breaker, datetime.now(UTC)) == "open"
            if record.healthy and not rests and record.agent_id not in seen:
                seen.add(record.agent_id)
                yield _registered(record, call)
