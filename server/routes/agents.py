"""`/agents`: the agents that crews and flows can call, what they can, and how they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.agents import registering
from server.agents.registering import checked
from server.db.agent_shapes import AgentFilter, ToCheck, as_registered
from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.routes.slashes import with_slashes
from server.wire.agents import (
    AgentChange,
    AgentInfo,
    AgentPut,
    CapabilityInfo,
    ClassInfo,
    HealthInfo,
    Heartbeat,
    Limit,
    ListedStatus,
    Offset,
    RegisteredId,
    TypeInfo,
    TypesInfo,
    agent_info,
    health_info,
    new_agent,
)
from server.wire.shaped import body_of, described
from server.wire.shapes import examples
from server.wire.told import LOCATION
from state.agents import AgentRecord, NewAgent, Origin
from state.errors import BadRequest, Conflict, NotFound

router = APIRouter(tags=["agents"])

_PLACE = frozenset({"endpoint", "agent_class"})
"""What says where an agent is, and how it is spoken to there."""


@router.post(
    "/agents",
    status_code=201,
    openapi_extra=described(NewAgent, examples.AGENT),
    responses={200: {"model": AgentInfo, "description": "It was there already", "headers": LOCATION}},
)
async def register_agent(
    body: Annotated[NewAgent, Depends(body_of(NewAgent))], lab: CurrentLab, tenant: CurrentTenant, response: Response
) -> AgentInfo:
    """Register an agent, 201; under an id that is registered already: replace it, 200. Its api_key is never shown."""
    agent = await _checked(lab, body)
    if not await lab.agents.agents.register(tenant, agent):
        response.status_code = 200
    response.headers["Location"] = f"/agents/{agent.agent_id}"
    return _told(await _get(lab, tenant, agent.agent_id))


@router.get("/agents")
async def list_agents(
    lab: CurrentLab,
    tenant: CurrentTenant,
    response: Response,
    capability: Annotated[str | None, Query(max_length=64, description="that they have")] = None,
    agent_type: Annotated[str | None, Query(max_length=64)] = None,
    status: Annotated[ListedStatus | None, Query(description="active: switched on")] = None,
    origin: Origin | None = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> list[AgentInfo]:
    """Registered agents by id. `X-Pagination-Total`: how many there are in all."""
    wanted = AgentFilter(capability=capability, agent_type=agent_type, status=status, origin=origin)
    found, total = await lab.agents.agents.search(tenant, wanted, limit=limit, offset=offset)
    response.headers["X-Pagination-Total"] = str(total)
    return [_told(record) for record in found]


@router.get("/agents/capabilities")
async def list_capabilities(lab: CurrentLab, tenant: CurrentTenant) -> list[CapabilityInfo]:
    """What enabled agents can, and which do."""
    found = await lab.agents.agents.capabilities(tenant)
    return [CapabilityInfo(capability=name, agents=[*agents]) for name, agents in found.items()]


@router.get("/agents/types")
async def list_types(lab: CurrentLab, tenant: CurrentTenant) -> TypesInfo:
    """Types of the registered agents, and the classes that an agent can be of."""
    types = await lab.agents.agents.types(tenant)
    kinds = sorted(lab.needs.kinds().values(), key=lambda kind: kind.name)
    return TypesInfo(
        types=[TypeInfo(agent_type=name, count=count) for name, count in types.items()],
        classes=[
            ClassInfo(agent_class=kind.name, description=kind.description, capabilities=[*kind.capabilities])
            for kind in kinds
        ],
    )


@router.get("/agents/{agent_id}")
async def get_agent(agent_id: RegisteredId, lab: CurrentLab, tenant: CurrentTenant) -> AgentInfo:
    """One agent."""
    return _told(await _get(lab, tenant, agent_id))


@router.put(
    "/agents/{agent_id}",
    openapi_extra=described(AgentPut, examples.AGENT_PUT),
    responses={201: {"model": AgentInfo, "description": "It is new"}},
)
async def put_agent(
    agent_id: RegisteredId,
    body: Annotated[AgentPut, Depends(body_of(AgentPut))],
    lab: CurrentLab,
    tenant: CurrentTenant,
    response: Response,
) -> AgentInfo:
    """Register an agent under this id, 201, or replace the one that is there, 200."""
    if body.agent_id not in (None, agent_id):
        raise BadRequest(f"agent_id: the body says '{body.agent_id[:64]}', the path '{agent_id}'")
    agent = await _checked(lab, new_agent(agent_id, body.said))
    switch = body.switch
    if await lab.agents.agents.register(tenant, agent):
        response.status_code = 201
    if switch is not None:
        await lab.agents.agents.set_enabled(tenant, agent_id, switch)
    return _told(await _get(lab, tenant, agent_id))


@router.patch("/agents/{agent_id}", openapi_extra=described(AgentChange, examples.AGENT_CHANGE))
async def patch_agent(
    agent_id: RegisteredId,
    body: Annotated[AgentChange, Depends(body_of(AgentChange))],
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> AgentInfo:
    """Change what the body names. Of an agent that comes with this server only the switch can be changed."""
    if body.said:
        # Looked at before it is locked, since an address is resolved. What is written is what was looked at, laid over
        # the agent as it is then.
        now = _changed(await _get(lab, tenant, agent_id), body)
        seen = await checked(now, lab.needs, lab.settings.allowed_networks, moved=not _PLACE.isdisjoint(body.said))
        body = body.model_copy(update={name: getattr(seen, name) for name in body.said})
    if not await lab.agents.agents.change(tenant, agent_id, lambda record: _changed(record, body), body.switch):
        await _get(lab, tenant, agent_id)
    return _told(await _get(lab, tenant, agent_id))


@router.delete("/agents/{agent_id}", status_code=204)
async def remove_agent(agent_id: RegisteredId, lab: CurrentLab, tenant: CurrentTenant) -> None:
    """Deregister an agent. What it did stays with the executions; one that is built in can be switched off only."""
    if not await lab.agents.agents.delete(tenant, agent_id):
        await _get(lab, tenant, agent_id)
        raise Conflict(f"agent '{agent_id}' is built in; switch it off instead: PATCH with {{\"enabled\": false}}")


@router.get("/agents/{agent_id}/health")
async def get_health(agent_id: RegisteredId, lab: CurrentLab, tenant: CurrentTenant) -> HealthInfo:
    """How the agent is now: one that has an endpoint is asked, within 5 s; of others, what their heartbeats showed."""
    return await _look(lab, tenant, await _get(lab, tenant, agent_id))


@router.post("/agents/{agent_id}/health")
async def check_health(agent_id: RegisteredId, lab: CurrentLab, tenant: CurrentTenant) -> HealthInfo:
    """The same as GET."""
    return await _look(lab, tenant, await _get(lab, tenant, agent_id))


@router.post("/agents/{agent_id}/heartbeat")
async def beat(agent_id: RegisteredId, lab: CurrentLab, tenant: CurrentTenant) -> Heartbeat:
    """The agent says that it lives."""
    at = await lab.agents.agents.heartbeat(tenant, agent_id)
    if at is None:
        await _get(lab, tenant, agent_id)
        raise NotFound(f"there is no agent '{agent_id}' any more")
    return Heartbeat(agent_id=agent_id, last_heartbeat=at)


with_slashes(router)


async def _get(lab: Lab, tenant: str, agent_id: str) -> AgentRecord:
    """Raises NotFound, which names agents that there are."""
    return await lab.agents.of(tenant).get(agent_id)


async def _checked(lab: Lab, agent: NewAgent) -> NewAgent:
    seen = await checked(agent, lab.needs, lab.settings.allowed_networks)
    return await registering.described(seen, lab.needs)


async def _look(lab: Lab, tenant: str, record: AgentRecord) -> HealthInfo:
    if record.endpoint is not None:
        await lab.agents.poller.check(ToCheck(tenant, record.agent_id, record.endpoint))
        record = await _get(lab, tenant, record.agent_id)
    return health_info(record)


def _told(record: AgentRecord) -> AgentInfo:
    return agent_info(record, datetime.now(UTC))


def _changed(record: AgentRecord, body: AgentChange) -> NewAgent:
    """The record as the body wants it; its key is named only where the body names it."""
    kept = as_registered(record).model_dump(exclude={"agent_id", "api_key"})
    return new_agent(record.agent_id, {**kept, **body.said})
