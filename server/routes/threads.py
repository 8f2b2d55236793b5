"""`/threads`: what clients keep states and runs under. Their states: `thread_states.py`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response

from server.deps import CurrentLab, CurrentTenant
from server.wire import threads as wire
from server.wire.answers import answer, page_of
from server.wire.assistants import described
from server.wire.body import json_body
from server.wire.ids import uuid_of
from server.wire.shapes.building import COUNT, listed
from server.wire.states import supersteps_of
from server.wire.threads import copied_view, listed_view, thread_view, ttl_view
from server.wire.told import PAGED, told
from server.wire.values import encode
from state.errors import Malformed

router = APIRouter(prefix="/threads", tags=["Threads"])


def _named(thread_id: str) -> UUID:
    return uuid_of("thread", thread_id)


Named = Annotated[UUID, Depends(_named)]


@router.post(
    "",
    openapi_extra=described(wire.CREATE),
    responses={**told("Thread"), **told("Detail", status=201, about="Made, but not with all of its `supersteps`")},
)
async def create_thread(
    body: Annotated[Any, Depends(json_body(wire.CREATE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Make a thread, with a history of its own where `supersteps` gives one."""
    keep_existing = body.get("if_exists") == "do_nothing"
    thread = await lab.threads.create(tenant, wire.new_thread(body), keep_existing=keep_existing)
    if not body.get("supersteps"):
        return answer(thread_view(thread))
    filled, problem = await lab.thread_states.fill(tenant, thread, supersteps_of(body["supersteps"]))
    if problem is None:
        return answer(thread_view(filled))
    told = f"Thread {thread.thread_id} was created, but there were problems updating the state: {problem}"
    return Response(encode({"detail": told}), HTTPStatus.CREATED, media_type="application/json")


@router.post("/search", openapi_extra=described(wire.SEARCH), responses=told(listed("ThreadFound"), headers=PAGED))
async def search_threads(
    body: Annotated[Any, Depends(json_body(wire.SEARCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Threads by id, metadata, values and status; the last changed first unless sorted."""
    select, extract, page = body.get("select", ()), body.get("extract", {}), page_of(body)
    wire.check_extract(extract)
    found = await lab.threads.search(
        tenant, wire.filter_of(body), wire.order_of(body), limit=page.limit + 1, offset=page.offset
    )
    shown = [listed_view(thread, select, extract) for thread in page.shown(found)]
    return answer(shown, page.headers(found))


@router.post("/count", openapi_extra=described(wire.COUNT), responses=told(COUNT))
async def count_threads(
    body: Annotated[Any, Depends(json_body(wire.COUNT))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """How many threads a search would find."""
    return answer(await lab.threads.count(tenant, wire.count_filter_of(body)))


@router.post("/prune", openapi_extra=described(wire.PRUNE), responses=told("ThreadsPruned"))
async def prune_threads(
    body: Annotated[Any, Depends(json_body(wire.PRUNE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Delete threads, or all of their history but the newest state; `dry_run` only counts them."""
    thread_ids = wire.pruned_ids(body)
    pruned = await lab.threads.prune(
        tenant, thread_ids, body.get("strategy", "delete"), dry_run=body.get("dry_run", False)
    )
    return answer({"pruned_count": len(pruned)})


@router.api_route("/{thread_id}", methods=["GET", "HEAD"], responses=told("Thread"))
async def get_thread(thread_id: Named, lab: CurrentLab, tenant: CurrentTenant, include: str = "") -> Response:
    """One thread; `include=ttl` tells how long it lives."""
    thread = await lab.threads.get(tenant, thread_id)
    return answer({**thread_view(thread), **(ttl_view(thread) if "ttl" in include.split(",") else {})})


@router.patch(
    "/{thread_id}",
    openapi_extra=described(wire.PATCH),
    responses={**told("Thread"), **told(None, status=204, about="Changed; `Prefer: return=minimal` was said")},
)
async def patch_thread(
    thread_id: Named,
    body: Annotated[Any, Depends(json_body(wire.PATCH))],
    lab: CurrentLab,
    tenant: CurrentTenant,
    prefer: Annotated[str, Header()] = "",
) -> Response:
    """Merge metadata key by key, replace how long the thread lives; `Prefer: return=minimal` asks for no body."""
    changed = await lab.threads.patch(tenant, thread_id, body.get("metadata", {}), wire.lifetime_of(body))
    if prefer == "return=minimal":
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return answer(thread_view(changed))


@router.delete("/{thread_id}", status_code=204)
async def delete_thread(thread_id: Named, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete a thread with its runs and history."""
    await lab.threads.delete(tenant, thread_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/{thread_id}/copy", responses=told("ThreadCopy"))
async def copy_thread(thread_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """A thread of its own with the same history."""
    try:
        source = UUID(thread_id)
    except ValueError as error:
        # As the reference server answers, on this route alone.
        raise Malformed(str(error)) from None
    return answer(copied_view(await lab.threads.copy(tenant, source)))


@router.api_route("/{thread_id}/storage", methods=["GET", "HEAD"], responses=told("ThreadStorage"))
async def thread_storage(thread_id: Named, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """What a thread's history takes, in bytes, by channel."""
    return answer(await lab.threads.storage(tenant, thread_id))
