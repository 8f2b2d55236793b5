"""`/threads/{thread_id}/state` and `/history`: states read, changed and listed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from server.deps import CurrentLab, CurrentTenant
from server.routes.threads import Named
from server.wire import states as wire
from server.wire.answers import answer
from server.wire.assistants import described
from server.wire.body import json_body
from server.wire.shapes.building import listed
from server.wire.states import selected, updated_view
from server.wire.told import told

router = APIRouter(prefix="/threads/{thread_id}", tags=["Threads"])

_READ = ["GET", "HEAD"]


def _select(select: Annotated[list[str], Query()] = []) -> list[str]:  # noqa: B006
    wire.check_select(select)
    return select


Select = Annotated[list[str], Depends(_select)]


@router.api_route("/state", methods=_READ, responses=told("ThreadStateFound"))
async def get_state(
    thread_id: Named, lab: CurrentLab, tenant: CurrentTenant, select: Select, subgraphs: str = ""
) -> Response:
    """The newest state of a thread."""
    state = await lab.thread_states.read(tenant, thread_id, subgraphs=subgraphs.lower() == "true")
    return answer(selected(state, select))


@router.post("/state", openapi_extra=described(wire.UPDATE), responses=told("ThreadStateUpdated"))
async def update_state(
    thread_id: Named, body: Annotated[Any, Depends(json_body(wire.UPDATE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Change a state as if a node had run; `as_node: __copy__` starts a branch from a checkpoint."""
    checkpoint = wire.updated_checkpoint(body)
    changed, _ = await lab.thread_states.update(tenant, thread_id, [[wire.state_update(body)]], checkpoint)
    return answer(updated_view(changed))


@router.post("/state/checkpoint", openapi_extra=described(wire.READ), responses=told("ThreadStateFound"))
async def get_state_of_checkpoint(
    thread_id: Named, body: Annotated[Any, Depends(json_body(wire.READ))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """The state at a checkpoint, also of a subgraph."""
    wire.check_select(select := body.get("select", ()))
    state = await lab.thread_states.read(tenant, thread_id, body["checkpoint"], subgraphs=body.get("subgraphs", False))
    return answer(selected(state, select))


@router.api_route("/state/{checkpoint_id}", methods=_READ, responses=told("ThreadStateFound"))
async def get_state_at(
    thread_id: Named,
    checkpoint_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    select: Select,
    subgraphs: str = "",
) -> Response:
    """The state at a checkpoint."""
    checkpoint = {"checkpoint_id": checkpoint_id}
    state = await lab.thread_states.read(tenant, thread_id, checkpoint, subgraphs=subgraphs.lower() == "true")
    return answer(selected(state, select))


@router.api_route("/history", methods=_READ, responses=told(listed("ThreadState")))
async def get_history(
    thread_id: Named, lab: CurrentLab, tenant: CurrentTenant, limit: str = "1", before: str | None = None
) -> Response:
    """States of a thread, newest first."""
    return answer(await lab.thread_states.history(tenant, thread_id, limit=wire.limit_of(limit), before=before))


@router.post("/history", openapi_extra=described(wire.HISTORY), responses=told(listed("ThreadStateFound")))
async def search_history(
    thread_id: Named, body: Annotated[Any, Depends(json_body(wire.HISTORY))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """States of a thread or of its subgraph, before a checkpoint and by metadata, newest first."""
    wire.check_select(select := body.get("select", ()))
    states = await lab.thread_states.history(
        tenant,
        thread_id,
        limit=int(body.get("limit", 1)),
        before=wire.before_of(body),
        metadata=body.get("metadata"),
        checkpoint=body.get("checkpoint"),
    )
    return answer([selected(state, select) for state in states])
