"""Calls of agents as they happen, written behind the back of the runs that make them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import psycopg
from langchain_core.utils.uuid import uuid7

from server.background import running
from server.db.agent_runs import Call
from server.db.json_values import storable_text
from state.errors import NoDatabase

MOST_WAITING = 10_000
"""Calls that wait for Postgres; of more, the oldest are not kept."""
BATCH = 1_000
GATHER_SECONDS = 0.02
"""After the first call of a batch: a short one has its begin and its end in one row then."""
AGAIN_SECONDS = 1.0
CLOSING_SECONDS = 5.0
"""For what is left at the end."""
MOST_TEXT = 2_000
"""Characters of an error."""

log = logging.getLogger(__name__)


Heard = Callable[[str, str, float | None], None]
"""Told of calls that have ended: the agent's id, how (`completed`, `failed`), and the seconds that it took."""


def unheard(agent_id: str, status: str, seconds: float | None) -> None:
    """Where nobody counts calls."""


class Rows(Protocol):
    """What keeps calls: server.db.agent_runs."""

    async def write(self, tenant: str, worker_id: int, calls: Sequence[Call]) -> None: ...


class Calls:
    """state.agent_ports.CallLog of one tenant in one process. Use `open_calls`."""

    def __init__(
        self,
        rows: Rows,
        tenant: str,
        worker_id: int,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_waiting: int = MOST_WAITING,
        ended: Heard = unheard,
    ) -> None:
        self._rows, self._tenant, self._worker_id = rows, tenant, worker_id
        self._now, self._most, self._ended = now, most_waiting, ended
        self._open: dict[UUID, Call] = {}
        self._waiting: dict[UUID, Call] = {}
        """In the order in which they came; a call that changes while it waits is written once."""
        self._begun: set[UUID] = set()
        """Calls that Postgres knows as running."""
        self._woken = asyncio.Event()
        self._lost = 0

    def begin(
        self,
        *,
        run_id: UUID | None,
        step: str,
        agent_id: str,
        agent_name: str,
        agent_class: str,
        attempt: int,
        registered: bool,
    ) -> UUID:
        """A call has begun; returns its id at once."""
        call = Call(
            uuid7(),
            run_id,
            step=storable_text(step),
            agent_id=storable_text(agent_id),
            agent_name=storable_text(agent_name),
            agent_class=storable_text(agent_class),
            attempt=attempt,
            started_at=self._now(),
            registered=registered,
        )
        self._open[call.call_id] = call
        self._put(call)
        return call.call_id

    def end(self, call_id: UUID, *, error: str | None = None, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """It is over; a second end of the same call says nothing."""
        call = self._open.pop(call_id, None)
        if call is not None:
            over = replace(
                call,
                status="completed" if error is None else "failed",
                error=None if error is None else storable_text(error[:MOST_TEXT]),
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                ended_at=self._now(),
            )
            self._put(over)
            self._ended(over.agent_id, over.status, over.seconds)

    def unwritten(self) -> Mapping[str, int]:
        """Calls of registered agents that have begun and that no other process can know of yet, by the agent's id."""
        waiting = self._waiting.values()
        return Counter(call.agent_id for call in waiting if call.registered and call.status == "running")

    def _put(self, call: Call) -> None:
        self._waiting[call.call_id] = call
        while len(self._waiting) > self._most:
            # An end whose begin is written is given up last: without it the agent would seem busy for ever.
            unknown = (call_id for call_id in self._waiting if call_id not in self._begun)
            del self._waiting[next(unknown, next(iter(self._waiting)))]
            self._lost += 1
        self._woken.set()

    async def run(self) -> None:
        """Write what comes until cancelled; an absent Postgres is waited out."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._woken.clear()
            try:
                await self.flush()
            except NoDatabase as error:
                log.warning("calls of agents wait: %s", error)
                self._woken.set()
                await asyncio.sleep(AGAIN_SECONDS)

    async def flush(self) -> None:
        """Write all that waits. Raises NoDatabase; nothing is lost by that."""
        while self._waiting:
            batch = [*self._waiting.values()][:BATCH]
            await self._write(batch)
            for call in batch:
                (self._begun.add if call.status == "running" else self._begun.discard)(call.call_id)
                # One that has ended while it was written comes again.
                if self._waiting.get(call.call_id) is call:
                    del self._waiting[call.call_id]
        if self._lost:
            log.warning("%d calls of agents were not kept while Postgres was away", self._lost)
            self._lost = 0

    async def _write(self, batch: Sequence[Call]) -> None:
        """Write these. What Postgres does not take will not be taken later either.

        A value that it refuses costs the call that holds it, found by halves, and none of the others.
        """
        try:
            await self._rows.write(self._tenant, self._worker_id, batch)
        except psycopg.Error as error:
            if len(batch) == 1 or not isinstance(error, psycopg.DataError | psycopg.IntegrityError):
                log.exception("%d calls of agents are not kept, the first of agent %s", len(batch), batch[0].agent_id)
                return
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])

    async def close(self) -> None:
        """Write what is left, calls that were cut off among it, for CLOSING_SECONDS at most."""
        for call_id in [*self._open]:
            self.end(call_id, error="the process was stopped")
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.flush()
        except (NoDatabase, TimeoutError) as error:
            log.warning("%d calls of agents are not kept: %s", len(self._waiting), error or "no time is left")


@asynccontextmanager
async def open_calls(rows: Rows, tenant: str, worker_id: int, ended: Heard = unheard) -> AsyncIterator[Calls]:
    """A log that writes until the end, and then what is left. `ended`: told of each call that does."""
    calls = Calls(rows, tenant, worker_id, ended=ended)
    try:
        async with running(calls.run(), "agent-calls"):
            yield calls
    finally:
        await calls.close()
