"""From a request's body to runs that are admitted: what every route that makes a run does alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from structlog.contextvars import bind_contextvars

from server.lab import Lab
from server.run_queue.asking import new_run
from server.run_queue.shapes import NewRun, Run
from state.errors import NotFound


async def admitted(
    lab: Lab, tenant: str, body: Mapping[str, Any], thread_id: UUID | None = None, *, heard: bool = False
) -> Run:
    """One run, accepted; on the thread that the URL names, or on one of its own. `heard`: its maker listens to it.

    Raises BadRequest, NotFound (thread or assistant), Conflict (strategy `reject`).
    """
    return (await admitted_all(lab, tenant, [body], thread_id, heard=heard))[0]


async def admitted_all(
    lab: Lab, tenant: str, bodies: Sequence[Mapping[str, Any]], thread_id: UUID | None = None, *, heard: bool = False
) -> Sequence[Run]:
    """Several runs, all accepted or none. Raises as `admitted`."""
    asked = [await _asked(lab, tenant, body, thread_id, heard) for body in bodies]
    try:
        runs = await lab.queue.admit_many(tenant, asked)
    except NotFound:
        raise NotFound("Thread or assistant not found.") from None
    if len(runs) == 1:
        bind_contextvars(run_id=str(runs[0].run_id))  # the request's line in the log names it
    return runs


async def _asked(lab: Lab, tenant: str, body: Mapping[str, Any], thread_id: UUID | None, heard: bool) -> NewRun:
    assistant = await lab.assistants.resolve(tenant, body["assistant_id"])
    if body.get("webhook") is not None:
        await lab.webhooks.check(body["webhook"])
    request_id, now_ms = str(uuid4()), time.time_ns() // 1_000_000
    return new_run(body, assistant, thread_id=thread_id, request_id=request_id, now_ms=now_ms, heard=heard)


def cancel_when_gone(lab: Lab, tenant: str, run: Run) -> Any:
    """What a response calls when its client leaves and the run shall go with it."""

    async def gone() -> None:
        # The request is over for its client: whatever cancels it now must not leave the run behind.
        await asyncio.shield(lab.queue.cancel(tenant, [run.run_id], "interrupt"))

    return gone
