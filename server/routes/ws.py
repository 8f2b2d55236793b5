"""`/ws/…`: runs over a WebSocket, with the same events and ids as their server-sent events."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.websockets import WebSocket

from server.deps import CurrentLab, CurrentTenant
from server.execute import begin
from server.following import follow
from server.lab import Lab
from server.routes.lab_asking import ended_late
from server.routes.run_streams import Modes, after_of
from server.routes.streamed import is_heard
from server.run_queue.shapes import Run
from server.streaming import job_events
from server.streaming.said import said_by
from server.streaming.websocket import Talk, talking
from server.telemetry.access import execution_id
from server.wire.execute import ExecutionRequest
from server.wire.executions import execution_view
from server.wire.ids import uuid_of
from server.wire.shaped import shaped
from state.errors import NotFound

router = APIRouter(prefix="/ws", tags=["lab"])

AfterId = Annotated[str | None, Query(alias="last_event_id")]
"""Browsers cannot send headers with a WebSocket."""
AfterIdHeader = Annotated[str | None, Header(alias="Last-Event-ID")]


@router.websocket("/runs/{run_id}")
async def hear_run(
    socket: WebSocket,
    run_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    stream_mode: Modes = None,
    last_event_id: AfterId = None,
    last_event_id_header: AfterIdHeader = None,
) -> None:
    """Hear a run: what `GET /runs/{run_id}/stream` tells; from its first event where none is named and it has ids."""
    async with talking(socket, lab.socket_bounds, lambda: lab.hub.leaving) as talk:
        run = await _found(lab, tenant, uuid_of("run", run_id))
        named = last_event_id or last_event_id_header
        after = 0 if run.resumable and not named else after_of(run, named, datetime.now(UTC))
        await _tell(talk, lab, tenant, run, after, stream_mode)


@router.websocket("/executions/{execution_id}")
async def hear_execution(
    socket: WebSocket,
    execution_id: str,
    lab: CurrentLab,
    tenant: CurrentTenant,
    last_event_id: AfterId = None,
    last_event_id_header: AfterIdHeader = None,
) -> None:
    """Hear an execution of a crew or a flow: what `GET /executions/{execution_id}/stream` tells."""
    async with talking(socket, lab.socket_bounds, lambda: lab.hub.leaving) as talk:
        job = await lab.executions.get(tenant, uuid_of("execution", execution_id))
        after = job_events.after_of(job, last_event_id or last_event_id_header)

        async def cancel() -> None:
            await lab.executions.cancel(tenant, await lab.executions.get(tenant, job.job_id))

        if after is not None:
            await talk.tell_all(follow(lab, tenant, job, execution_view, after), {"cancel": cancel})


@router.websocket("/execute")
async def execute(socket: WebSocket, lab: CurrentLab, tenant: CurrentTenant) -> None:
    """Execute what the first message asks for, the body of `POST /api/v1/execute`, and tell it to its end.

    A client that leaves has some seconds to come again, to `/ws/runs/{run_id}`; then the execution is cancelled, unless
    it was asked for in the background.
    """
    async with talking(socket, lab.socket_bounds, lambda: lab.hub.leaving) as talk:
        body = shaped(ExecutionRequest, await talk.first())
        goes = None if body.background else "cancel"
        run = await begin(lab, tenant, body, run_id=execution_id(socket.scope), on_disconnect=goes)
        async with ended_late(lab, tenant, run):
            await _tell(talk, lab, tenant, run, 0)


async def _tell(talk: Talk, lab: Lab, tenant: str, run: Run, after: int | None, modes: list[str] | None = None) -> None:
    async def cancel() -> None:
        await lab.queue.cancel(tenant, [run.run_id], "interrupt")

    wanted = frozenset(filter(None, modes or ()))
    async with lab.listeners.present(tenant, run):
        events = said_by(lab.hub, tenant, run, after, partial(is_heard, modes=wanted) if wanted else None)
        await talk.tell_all(events, {"cancel": cancel})


async def _found(lab: Lab, tenant: str, run_id: UUID) -> Run:
    try:
        return await lab.queue.get(tenant, run_id)
    except NotFound:
        raise NotFound(f"there is no run {run_id}") from None
