"""`/threads/{thread_id}/runs` and `/runs`: making, finding, stopping and deleting. Hearing them: `run_streams.py`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.routes.asking import admitted, admitted_all
from server.routes.run_streams import is_true, joined_headers
from server.run_queue.queue import IN_FLIGHT
from server.run_queue.shapes import CancelAction
from server.wire import runs as wire
from server.wire.answers import answer
from server.wire.body import json_body
from server.wire.ids import uuid_of
from server.wire.shapes.building import OBJECT, listed
from server.wire.told import CONTENT_LOCATION, LOCATIONS, told
from state.errors import BadRequest, Malformed, NotFound

router = APIRouter()

MOST_RUNS = 1000
"""Runs in one list at most."""
NONE_FOUND = "No runs found to cancel."
NONE_MATCH = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, "
    "and the runs haven't been deleted or completed."
)


@router.post(
    "/threads/{thread_id}/runs",
    tags=["Thread Runs"],
    openapi_extra=wire.shown(wire.CREATE),
    responses=told("Run", headers=CONTENT_LOCATION),
)
async def create_run(
    thread_id: str, body: Annotated[Any, Depends(json_body(wire.CREATE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Put a run into its thread's queue; when this answers, the run is durable."""
    run = await admitted(lab, tenant, body, _thread(thread_id))
    return answer(wire.accepted_json(run), {"Content-Location": f"/threads/{run.thread_id}/runs/{run.run_id}"})


@router.post(
    "/runs",
    tags=["Stateless Runs"],
    openapi_extra=wire.shown(wire.CREATE_STATELESS),
    responses=told("Run", headers=CONTENT_LOCATION),
)
async def create_stateless_run(
    body: Annotated[Any, Depends(json_body(wire.CREATE_STATELESS))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Put a run on a thread of its own into the queue."""
    run = await admitted(lab, tenant, body)
    return answer(wire.accepted_json(run), {"Content-Location": f"/runs/{run.run_id}"})


@router.post(
    "/runs/batch", tags=["Stateless Runs"], openapi_extra=wire.shown(wire.BATCH), responses=told(listed("Run"))
)
async def create_runs(
    body: Annotated[Any, Depends(json_body(wire.BATCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Several stateless runs, all accepted or none."""
    return answer([wire.accepted_json(run) for run in await admitted_all(lab, tenant, body)])


@router.head("/threads/{thread_id}/runs", include_in_schema=False)
@router.get("/threads/{thread_id}/runs", tags=["Thread Runs"], responses=told(listed("RunFound")))
async def list_runs(
    thread_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    limit: str = "10",
    offset: str = "0",
    status: str | None = None,
    select: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """Runs of a thread, newest first."""
    thread = uuid_of("thread", thread_id)
    fields, page = _fields(select), (_count(limit), _count(offset))
    await _check_thread(lab, tenant, thread)
    found = await lab.queue.list(tenant, thread, status=status, limit=min(page[0], MOST_RUNS), offset=page[1])
    return Response(wire.runs_json(found, fields), media_type="application/json")


@router.head("/threads/{thread_id}/runs/{run_id}", include_in_schema=False)
@router.get("/threads/{thread_id}/runs/{run_id}", tags=["Thread Runs"], responses=told("Run"))
async def get_run(thread_id: str, run_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One run."""
    thread, run = uuid_of("thread", thread_id), uuid_of("run", run_id)
    try:
        found = await lab.queue.get(tenant, run, thread)
    except NotFound:
        await _check_thread(lab, tenant, thread)
        raise
    if found.temporary and found.status not in IN_FLIGHT:
        raise NotFound(f"Thread with ID {thread} not found")
    return answer(wire.run_json(found))


@router.delete("/threads/{thread_id}/runs/{run_id}", tags=["Thread Runs"], status_code=204)
async def delete_run(thread_id: str, run_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete a run, stopped first where it runs; what it wrote to its thread stays."""
    thread, run = uuid_of("thread", thread_id), uuid_of("run", run_id)
    await lab.queue.delete(tenant, thread, run)
    return Response(status_code=204)


@router.post(
    "/threads/{thread_id}/runs/{run_id}/cancel",
    tags=["Thread Runs"],
    responses={
        **told(OBJECT, about="It has ended; `wait` was said", headers=LOCATIONS),
        **told(None, status=202, about="It is being stopped"),
    },
)
async def cancel_run(
    thread_id: str, run_id: str, lab: CurrentLab, tenant: CurrentTenant, wait: str = "", action: str = "interrupt"
) -> Response:
    """Stop a run. `action` interrupt keeps what it has done, rollback undoes it; `wait` answers when it is over."""
    thread, run = uuid_of("thread", thread_id), uuid_of("run", run_id)
    await _cancel(lab, tenant, thread, [run], _action(action))
    if not is_true(wait):
        return Response(status_code=202)
    with suppress(NotFound):  # rolled back, it is gone
        await lab.queue.ended(tenant, run)
    return answer({}, joined_headers(thread, run))


@router.post("/runs/cancel", tags=["Thread Runs"], status_code=204, openapi_extra=wire.shown(wire.CANCEL))
async def cancel_runs(
    body: Annotated[Any, Depends(json_body(wire.CANCEL))],
    lab: CurrentLab,
    tenant: CurrentTenant,
    action: str = "interrupt",
) -> Response:
    """Stop several runs: those named, or all that are pending, running or either."""
    if "status" in body:
        statuses = IN_FLIGHT if body["status"] == "all" else (body["status"],)
        found = await lab.queue.in_flight(tenant, None, statuses)
        if not found:
            raise NotFound(NONE_FOUND)
        await lab.queue.cancel(tenant, found, _action(action))
    else:
        thread = uuid_of("thread", body["thread_id"])
        await _cancel(lab, tenant, thread, [uuid_of("run", run_id) for run_id in body["run_ids"]], _action(action))
    return Response(status_code=204)


async def _cancel(lab: Lab, tenant: str, thread: UUID, runs: Sequence[UUID], action: CancelAction) -> None:
    """Raises NotFound where none of the runs is there, or none is in flight."""
    flying = set(await lab.queue.in_flight(tenant, thread)) & set(runs)
    if not flying:
        raise NotFound(NONE_MATCH if await _any_known(lab, tenant, thread, runs) else NONE_FOUND)
    await lab.queue.cancel(tenant, [run for run in runs if run in flying], action)


async def _check_thread(lab: Lab, tenant: str, thread: UUID) -> None:
    if not await lab.queue.has_thread(tenant, thread):
        raise NotFound(f"Thread with ID {thread} not found")


async def _any_known(lab: Lab, tenant: str, thread: UUID, runs: Sequence[UUID]) -> bool:
    for run in runs:
        try:
            await lab.queue.get(tenant, run, thread)
        except NotFound:
            continue
        return True
    return False


def _thread(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest("Invalid thread ID") from None


def _action(text: str) -> CancelAction:
    """Like the reference: whatever is not a rollback is an interrupt."""
    return "rollback" if text == "rollback" else "interrupt"


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError as error:
        raise Malformed(str(error)) from None
    if not 0 <= number < 2**31:
        raise BadRequest(f"limit and offset must be between 0 and {2**31 - 1}")
    return number


def _fields(select: list[str] | None) -> list[str] | None:
    wrong = [name for name in select or [] if name not in wire.RUN_FIELDS]
    if wrong:
        known = ", ".join(repr(name) for name in wire.RUN_FIELDS)
        raise BadRequest(f"Invalid select columns: {wrong}. Expected: {{{known}}}")
    return [name for name in wire.RUN_FIELDS if name in select] if select else None
