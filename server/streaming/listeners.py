"""Runs that go with their clients: who listens to them, and what becomes of one that nobody listens to any more.

A client may lose its connection and come again, to this process or another. So a run whose last client has left is
cancelled only when nobody has listened to it for GRACE_SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from server.background import running, stop
from server.run_queue.shapes import Run
from state.errors import LabError

GRACE_SECONDS = 5.0
BEAT_SECONDS = 1.5
"""How often those who listen say so: three times in a grace, of which the first may come just before it."""

RESTART = 1012
"""A WebSocket's close where the process stops; uvicorn sends it, too."""

log = logging.getLogger(__name__)


class Left(Exception):
    """The client closed, or its connection is lost."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.stopping = code == RESTART
        """It was this process that closed, since it stops."""


class Rows(Protocol):
    """`server.db.listeners.ListenerRows`."""

    async def hear(self, tenant: str, run_id: UUID) -> datetime | None: ...
    async def hear_on(self, tenant: str, run_ids: Sequence[UUID]) -> None: ...
    async def is_unheard(self, tenant: str, run_id: UUID, since: datetime) -> bool: ...


Cancel = Callable[[str, UUID], Awaitable[None]]


def goes_with_its_client(run: Run) -> bool:
    """Whether a run is cancelled when nobody listens any more: its maker asked for that, and it has not ended."""
    return run.kwargs.get("on_disconnect") == "cancel" and run.status in ("pending", "running")


class Listeners:
    """Those of this process. Use `open_listeners`."""

    def __init__(self, rows: Rows, cancel: Cancel, *, grace_seconds: float, beat_seconds: float) -> None:
        self._rows = rows
        self._cancel = cancel
        self._grace_seconds = grace_seconds
        self._beat_seconds = beat_seconds
        self._present: Counter[tuple[str, UUID]] = Counter()
        self.waiting: set[asyncio.Task[None]] = set()
        """One for each run whose last client here has left, until its grace is over."""

    @asynccontextmanager
    async def present(self, tenant: str, run: Run) -> AsyncIterator[None]:
        """While a client listens to a run. When it leaves before the end (`Left`) the run may go with it.

        A client that is sent away, too slow or since this process stops, leaves the run alone. Raises NoDatabase.
        """
        if not goes_with_its_client(run):
            yield
            return
        key = (tenant, run.run_id)
        await self._rows.hear(*key)
        self._present[key] += 1
        left = False
        try:
            yield
        except Left as gone:
            left = not gone.stopping
            raise
        finally:
            self._present[key] -= 1
            if not self._present[key]:
                del self._present[key]
            if left:
                self.left(*key)

    def left(self, tenant: str, run_id: UUID) -> None:
        """A client that listened to such a run has left; where others are here the run is theirs."""
        if (tenant, run_id) not in self._present:
            task = asyncio.create_task(self._let_go(tenant, run_id), name=f"grace of run {run_id}")
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)

    async def run(self) -> None:
        """Say who is here, until cancelled."""
        while True:
            await asyncio.sleep(self._beat_seconds)
            for tenant in {tenant for tenant, _ in self._present}:
                here = [run_id for of, run_id in self._present if of == tenant]
                try:
                    await self._rows.hear_on(tenant, here)
                except LabError as error:
                    log.warning("runs that are listened to cannot be marked as such: %s", error)

    async def close(self) -> None:
        """Runs that wait for a client are left to their next process, and to their bound of time."""
        for task in list(self.waiting):
            await stop(task)

    async def _let_go(self, tenant: str, run_id: UUID) -> None:
        try:
            since = await self._rows.hear(tenant, run_id)
            if since is None:
                return
            await asyncio.sleep(self._grace_seconds)
            if await self._rows.is_unheard(tenant, run_id, since):
                log.info("run %s is cancelled: its client left and nobody came for it", run_id)
                await self._cancel(tenant, run_id)
        except LabError as error:
            log.warning("run %s goes on, though nobody listens to it: %s", run_id, error)


@asynccontextmanager
async def open_listeners(
    rows: Rows, cancel: Cancel, *, grace_seconds: float = GRACE_SECONDS, beat_seconds: float = BEAT_SECONDS
) -> AsyncIterator[Listeners]:
    """`cancel` stops a run of a tenant."""
    listeners = Listeners(rows, cancel, grace_seconds=grace_seconds, beat_seconds=beat_seconds)
    async with running(listeners.run(), "listeners"):
        try:
            yield listeners
        finally:
            await listeners.close()
