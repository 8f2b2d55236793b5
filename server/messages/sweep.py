"""Messages that are older than they are kept: deleted a bounded batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.background import running
from server.db.messages import Messages
from state.errors import NoDatabase

BATCH = 1_000
INTERVAL_SEC = 3_600.0

log = logging.getLogger(__name__)


class MessageSweeper:
    """For all tenants; any number of processes may run one: each takes messages that no other holds."""

    def __init__(self, messages: Messages, days: float, *, batch: int = BATCH) -> None:
        self._messages, self._days, self._batch = messages, days, batch

    async def run(self) -> None:
        """Sweep every hour until cancelled; an absent Postgres is waited out."""
        while True:
            try:
                if count := await self.sweep():
                    log.info("deleted %d messages older than %g days", count, self._days)
            except NoDatabase as error:
                log.warning("messages were not swept: %s", error)
            await asyncio.sleep(INTERVAL_SEC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "message sweeper"):
            yield

    async def sweep(self) -> int:
        """Delete all that is too old by now, those that still wait included; returns how many. Raises NoDatabase."""
        count = 0
        while True:
            deleted, queues = await self._messages.sweep(self._days, self._batch)
            if queues:
                await self._messages.recount(sorted(queues))
            count += deleted
            if deleted < self._batch:
                return count
