"""Starting due crons: each tick once, whatever the number of processes; ticks missed by all of them once together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.background import running
from server.db.crons import Cron, Crons
from server.run_queue.schedules import next_tick
from server.run_queue.shapes import NewRun, Run
from state.errors import BadRequest, Conflict, LabError, NoDatabase, Unavailable

POLL_SECONDS = 1.0
BATCH = 100

Prepare = Callable[[str, Mapping[str, Any], UUID | None], Awaitable[NewRun]]
"""Tenant, the body of a run, its thread: what is admitted. Raises BadRequest, NotFound."""

_CRONS_OWN = ("schedule", "timezone", "end_time", "enabled", "on_run_completed")

log = logging.getLogger(__name__)


class Admission(Protocol):
    """What the scheduler needs of the run queue."""

    async def admit(self, tenant: str, new: NewRun, connection: AsyncConnection[DictRow] | None = None) -> Run: ...

    def wake(self) -> None: ...


class CronScheduler:
    """One a process; they need not know of each other."""

    def __init__(self, crons: Crons, queue: Admission, prepare: Prepare, now: Callable[[], datetime]) -> None:
        self._crons, self._queue, self._prepare, self._now = crons, queue, prepare, now

    async def run(self) -> None:
        """Start what is due, about once a second, until cancelled; an absent Postgres is waited out."""
        while True:
            try:
                await self.start_due()
            except Unavailable as error:
                log.warning("crons wait: %s", error)
            await asyncio.sleep(POLL_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "crons"):
            yield

    async def start_due(self) -> list[Run]:
        """Start all that is due by now. Raises NoDatabase."""
        started: list[Run] = []
        for cron in await self._crons.due(self._now(), BATCH):
            try:
                run = await self._start(cron)
            except NoDatabase:
                raise
            except LabError as error:
                log.warning("cron %s was not started and is tried again: %s", cron.cron_id, error)
                continue
            if run is not None:
                started.append(run)
        if started:
            self._queue.wake()
        return started

    async def _start(self, cron: Cron) -> Run | None:
        """None: somebody else did, it cannot be done now, or never."""
        try:
            following = self._following(cron)
            new = _of_cron(await self._prepare(cron.tenant_id, run_body(cron), cron.thread_id), cron)
            async with self._crons.tick(cron, following) as connection:
                if connection is None:
                    return None
                try:
                    async with connection.transaction():
                        return await self._queue.admit(cron.tenant_id, new, connection)
                except Conflict as error:
                    # Its thread is busy and it is to be rejected then: this tick is passed over.
                    log.info("cron %s passes a tick over: %s", cron.cron_id, error)
                    return None
        except BadRequest as error:
            log.warning("cron %s is disabled, it cannot start: %s", cron.cron_id, error)
            await self._crons.disable(cron, self._now())
            return None

    def _following(self, cron: Cron) -> datetime | None:
        """The tick after this one that is not past yet; None where it is the last."""
        assert cron.next_run_date is not None
        try:
            tick = next_tick(cron.schedule, cron.timezone, max(self._now(), cron.next_run_date))
        except BadRequest:
            # A schedule that names a year has come to its end.
            return None
        return None if cron.end_time is not None and tick > cron.end_time else tick


def run_body(cron: Cron) -> dict[str, Any]:
    """The body of a request for one run: what the client sent, less what is the cron's own.

    Its id among them: beside a `context` nothing may be configured, and alone it would stand for one.
    """
    body = {name: value for name, value in cron.payload.items() if name not in _CRONS_OWN}
    config = dict(body.get("config") or {})
    config["configurable"] = {key: value for key, value in config.get("configurable", {}).items() if key != "cron_id"}
    body |= {"config": config, "metadata": dict(cron.metadata)}
    for name in ("after_seconds", "if_not_exists", "checkpoint", "checkpoint_id", "command"):
        # A body may hold what its schema does not name; a cron starts at its time, from its thread's last state.
        body.pop(name, None)
    if cron.thread_id is None:
        body["on_completion"] = cron.on_run_completed or "delete"
        body.pop("multitask_strategy", None)
    return body


def _of_cron(new: NewRun, cron: Cron) -> NewRun:
    """The run shows which cron started it, as `configurable.cron_id`."""
    config = dict(new.kwargs.get("config") or {})
    config["configurable"] = {**config.get("configurable", {}), "cron_id": str(cron.cron_id)}
    return replace(new, kwargs={**new.kwargs, "config": config})
