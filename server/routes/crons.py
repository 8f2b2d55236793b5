"""`/runs/crons`: runs on a schedule, on one thread or each on a thread of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from server.db.crons import Cron
from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.wire.answers import answer, page_of
from server.wire.assistants import described
from server.wire.body import json_body
from server.wire.crons import (
    COUNT,
    CREATE,
    CREATE_ON_THREAD,
    PATCH,
    SEARCH,
    changed_cron,
    cron_filter,
    cron_json,
    new_cron,
)
from server.wire.ids import uuid_of
from server.wire.shapes import building
from server.wire.shapes.building import listed
from server.wire.told import PAGED, told
from state.errors import Malformed, NotFound

router = APIRouter(tags=["Crons"])


async def _cron_id(cron_id: str) -> UUID:
    return uuid_of("cron", cron_id)


CronId = Annotated[UUID, Depends(_cron_id)]


async def _thread_id(thread_id: str) -> UUID:
    return uuid_of("thread", thread_id)


@router.post("/threads/{thread_id}/runs/crons", openapi_extra=described(CREATE_ON_THREAD), responses=told("Cron"))
async def create_cron_on_thread(
    thread_id: Annotated[UUID, Depends(_thread_id)],
    body: Annotated[Any, Depends(json_body(CREATE_ON_THREAD))],
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> Response:
    """A schedule of runs on one thread, gone when the thread is."""
    return answer(cron_json(await _create(lab, tenant, body, thread_id)))


@router.post("/runs/crons", openapi_extra=described(CREATE), responses=told("Cron"))
async def create_cron(
    body: Annotated[Any, Depends(json_body(CREATE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """A schedule of runs, each on a new thread."""
    return answer(cron_json(await _create(lab, tenant, body, None)))


@router.post("/runs/crons/search", openapi_extra=described(SEARCH), responses=told(listed("CronFound"), headers=PAGED))
async def search_crons(
    body: Annotated[Any, Depends(json_body(SEARCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """The newest first unless sorted."""
    page = page_of(body)
    found = await lab.crons.search(
        tenant,
        cron_filter(body),
        sort_by=body.get("sort_by", "created_at"),
        descending="sort_by" not in body or body.get("sort_order") != "asc",
        limit=page.limit + 1,
        offset=page.offset,
    )
    return answer([cron_json(cron, body.get("select", ())) for cron in page.shown(found)], page.headers(found))


@router.post("/runs/crons/count", openapi_extra=described(COUNT), responses=told(building.COUNT))
async def count_crons(
    body: Annotated[Any, Depends(json_body(COUNT))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """How many match, enabled or not."""
    wanted = cron_filter({name: body[name] for name in COUNT["properties"] if name in body})
    return answer(await lab.crons.count(tenant, wanted))


@router.head("/runs/crons/{cron_id}", include_in_schema=False)
@router.get("/runs/crons/{cron_id}", responses=told("Cron"))
async def get_cron(cron_id: CronId, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One cron."""
    cron = await lab.crons.get(tenant, cron_id)
    if cron is None:
        raise NotFound("Not Found")
    return answer(cron_json(cron))


@router.patch("/runs/crons/{cron_id}", openapi_extra=described(PATCH), responses=told("Cron"))
async def patch_cron(
    cron_id: CronId, body: Annotated[Any, Depends(json_body(PATCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Replace what the body names; metadata is merged."""
    if not body:
        raise Malformed("Request body cannot be empty")
    if body.get("webhook") is not None:
        await lab.webhooks.check(body["webhook"])
    now = datetime.now(UTC)
    cron = await lab.crons.change(tenant, cron_id, lambda cron: changed_cron(cron, body, now))
    if cron is None:
        raise NotFound(f"Cron '{cron_id}' not found")
    return answer(cron_json(cron))


@router.delete("/runs/crons/{cron_id}", status_code=204)
async def delete_cron(cron_id: CronId, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """It starts no more runs; those it started are left alone."""
    if not await lab.crons.delete(tenant, cron_id):
        raise NotFound("Not Found")
    return Response(status_code=204)


async def _create(lab: Lab, tenant: str, body: Any, thread_id: UUID | None) -> Cron:
    """Checked in the order of the reference server: webhook, a graph's name, schedule, an assistant's id, thread."""
    if body.get("webhook") is not None:
        await lab.webhooks.check(body["webhook"])
    named = body["assistant_id"]
    assistant_id = lab.assistants.named(named)
    if assistant_id is None:
        raise NotFound(f"Assistant '{named}' not found")
    cron = new_cron(tenant, body, assistant_id, thread_id, datetime.now(UTC))
    if await lab.assistants.get(tenant, assistant_id) is None:
        raise NotFound(f"Assistant '{named}' not found")
    return await lab.crons.create(cron)
