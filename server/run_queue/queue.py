"""What routes ask of the run queue: accept, look, stop, wait for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.claims import Claimed
from server.db.queue import Admitted, QueueRows
from server.db.queue_values import read_error
from server.run_queue.shapes import CancelAction, NewRun, Run, RunStatus
from server.streaming.hub import Hub
from state.errors import NotFound, Unavailable

IN_FLIGHT = ("pending", "running")


class Starter(Protocol):
    """The worker of this process, where it has one."""

    id: int

    def reserve(self, wanted: int) -> bool: ...
    def unreserve(self, slots: int) -> None: ...
    @property
    def free(self) -> int: ...
    def start(self, claimed: Claimed) -> None: ...
    def wake(self, payload: str = "") -> None: ...
    def stop(self, run_id: UUID, action: CancelAction) -> None: ...
    async def drain(self) -> None: ...


@dataclass(frozen=True)
class Ended:
    """A run that is over. `output` is JSON: what waiting for it gives; None where it never came to a state."""

    status: RunStatus
    output: bytes | None
    error: dict[str, str] | None


class RunQueue:
    def __init__(self, rows: QueueRows, hub: Hub, worker: Starter | None) -> None:
        """`worker` None: runs are only accepted here; other processes run them."""
        self._rows = rows
        self._hub = hub
        self._worker = worker
        self.stopping = False
        """Begins nothing more: requests are for other processes."""

    @property
    def free(self) -> int:
        """Runs that this process could begin now."""
        return self._worker.free if self._worker is not None else 0

    async def admit(self, tenant: str, new: NewRun, connection: AsyncConnection[DictRow] | None = None) -> Run:
        """Accept a run: when this returns it is durable. Raises NotFound (thread), Conflict (strategy `reject`).

        With `connection` it is durable when the caller's transaction is, and `wake` is the caller's to call then.
        """
        if connection is not None:
            return (await self._rows.admit(tenant, [new], None, connection))[0].run
        return (await self.admit_many(tenant, [new]))[0]

    async def admit_many(self, tenant: str, new: Sequence[NewRun]) -> Sequence[Run]:
        """Accept all of them or none. Raises as `admit`."""
        worker = self._worker
        # A run that can start at once is claimed as it is accepted: no notice, no second look at the queue.
        reserved = len(new) if worker is not None and worker.reserve(len(new)) else 0
        try:
            worker_id = worker.id if worker is not None and reserved else None
            admitted = await self._rows.admit(tenant, new, worker_id)
        finally:
            if worker is not None:
                worker.unreserve(reserved)
        for each in admitted:
            self._follow(each)
        # One that begins here opens its log in its first turn: whoever listens next finds it in memory.
        await asyncio.sleep(0)
        return [each.run for each in admitted]

    async def leave(self) -> None:
        """Stop in good order: begin nothing more, hand back what does not end by itself, let listeners go."""
        self.stopping = True
        if self._worker is not None:
            await self._worker.drain()
        self._hub.dismiss()

    def wake(self) -> None:
        """Let this process look at the queue now."""
        if self._worker is not None:
            self._worker.wake()

    async def get(self, tenant: str, run_id: UUID, thread_id: UUID | None = None) -> Run:
        """Raises NotFound."""
        run = await self._rows.get(tenant, run_id, thread_id)
        if run is None:
            raise NotFound("Not Found")
        return run

    async def list(self, tenant: str, thread_id: UUID, *, status: str | None, limit: int, offset: int) -> Sequence[Run]:
        """Of a thread, newest first."""
        return await self._rows.list(tenant, thread_id, status=status, limit=limit, offset=offset)

    async def has_thread(self, tenant: str, thread_id: UUID) -> bool:
        return await self._rows.has_thread(tenant, thread_id)

    async def in_flight(
        self, tenant: str, thread_id: UUID | None = None, statuses: Sequence[str] = IN_FLIGHT
    ) -> Sequence[UUID]:
        """Ids of runs that have not ended, oldest first; of one thread where one is named."""
        return await self._rows.in_flight(tenant, thread_id, statuses)

    async def cancel(self, tenant: str, run_ids: Sequence[UUID], action: CancelAction) -> None:
        """Stop running runs and drop pending ones; those that have ended, or are not there, are left alone."""
        for run_id in run_ids:
            status = await self._rows.cancel(tenant, run_id, action)
            self._hub.tell(run_id)
            if status == "running" and self._worker is not None:
                self._worker.stop(run_id, action)
        self.wake()

    async def delete(self, tenant: str, thread_id: UUID, run_id: UUID) -> None:
        """Delete a run, stopped first where it runs; its checkpoints stay. Raises NotFound."""
        while True:
            run = await self._rows.get(tenant, run_id, thread_id)
            if run is None:
                raise NotFound("Run not found")
            if run.status == "running":
                await self.cancel(tenant, [run_id], "interrupt")
                await self.ended(tenant, run_id)
            if await self._rows.delete(tenant, run_id):
                break  # else it was claimed meanwhile
        self._hub.tell(run_id)
        self.wake()

    async def ended(self, tenant: str, run_id: UUID) -> Ended:
        """Wait until the run is over. Raises NotFound where it is not there, or is rolled back meanwhile; Unavailable
        where this process stops first: another one can be asked."""
        while not self._hub.leaving:
            news, here = self._hub.listen(run_id), self._hub.log_of(run_id)
            if here is not None and here.tenant == tenant:
                await here.closed.wait()
                if here.ending is not None:
                    return Ended(here.ending.status, here.ending.output, here.ending.told_error)
            row = await self._rows.outcome(tenant, run_id)
            if row is None:
                raise NotFound("Run not found")
            if row["status"] not in IN_FLIGHT:
                output = row["output"].encode() if row["output"] is not None else None
                return Ended(row["status"], output, read_error(row["error"]))
            await self._hub.until(news)
        raise Unavailable("this server is stopping; the run goes on, ask for it again")

    def _follow(self, admitted: Admitted) -> None:
        run = admitted.run
        for run_id in admitted.stopping:
            if self._worker is not None:
                self._worker.stop(run_id, admitted.action)
        for run_id in admitted.dropped:
            self._hub.tell(run_id)
        if run.status == "running" and self._worker is not None:
            self._worker.start(Claimed(admitted.tenant, run, admitted.new_thread))
        else:
            self.wake()
