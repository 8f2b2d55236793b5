"""Rows of the run queue. Each method is one transaction; who changes what is in flight on a thread locks it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.utils.uuid import uuid7
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.checkpoints import Pool
from server.db.claims import ClaimRows
from server.db.connection import bound_whole, told_as_no_database
from server.db.notices import EVENTS, RUNS, STOP
from server.db.queue_values import LINGER_SECONDS, first_event, storable, text
from server.db.repository import Query
from server.db.threads import Lifetime
from server.run_queue.admission import Admission, admit
from server.run_queue.answers import check_answer
from server.run_queue.digest import goes_on, request_of
from server.run_queue.shapes import CancelAction, Ending, NewRun, Run, RunStatus
from server.streaming.frames import END, Frame, lines_of
from server.streaming.lab_stream import error_words
from server.wire.values import encode
from state.errors import Conflict, NotFound

BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."


@dataclass(frozen=True)
class Admitted:
    """A run in the queue; `stopping`: those before it that were asked to stop."""

    tenant: str
    run: Run
    stopping: Sequence[UUID] = ()
    dropped: Sequence[UUID] = ()
    action: CancelAction = "interrupt"
    new_thread: bool = False
    """Its thread was made for it: there are no checkpoints yet."""


class QueueRows(ClaimRows):
    """And what its clients do. Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str, lifetime: Lifetime | None = None) -> None:
        """`lifetime`: of the threads that runs make."""
        super().__init__(pool, dsn, "queue.sql")
        self._lifetime = {
            "ttl_strategy": None if lifetime is None else lifetime.strategy,
            "ttl_minutes": None if lifetime is None else lifetime.minutes,
        }

    async def admit(
        self,
        tenant: str,
        new: Sequence[NewRun],
        worker_id: int | None = None,
        connection: AsyncConnection[DictRow] | None = None,
    ) -> Sequence[Admitted]:
        """Accept runs, all or none; `worker_id` claims the one where nothing stands before it, in the same transaction.

        With `connection` the caller's transaction is used, and the caller tells workers. Raises NotFound, Conflict.
        """
        with told_as_no_database(self._dsn):
            if connection is not None:
                return [await self._admit_one(connection, tenant, each, worker_id) for each in new]
            async with self._pool.connection() as own:
                if len(new) == 1 and new[0].thread_id is None:
                    admitted = [await self._admit_one(own, tenant, new[0], worker_id)]
                else:
                    async with own.pipeline(), own.transaction():
                        await bound_whole(own)
                        admitted = [await self._admit_one(own, tenant, each, worker_id) for each in new]
                if any(each.run.status == "pending" for each in admitted):
                    await own.execute(self._queries["notify"], {"channel": RUNS, "payload": ""})
                return admitted

    async def has_thread(self, tenant: str, thread_id: UUID) -> bool:
        return bool(await self._ask(tenant, "thread_exists", {"thread_id": thread_id}))

    async def list(self, tenant: str, thread_id: UUID, *, status: str | None, limit: int, offset: int) -> Sequence[Run]:
        values = {"thread_id": thread_id, "status": status, "limit": limit, "offset": offset}
        return [Run(**row) for row in await self._ask(tenant, "list_runs", values)]

    async def in_flight(self, tenant: str, thread_id: UUID | None, statuses: Sequence[str]) -> Sequence[UUID]:
        rows = await self._ask(tenant, "ids_in_flight", {"thread_id": thread_id, "statuses": list(statuses)})
        return [row["run_id"] for row in rows]

    async def cancel(self, tenant: str, run_id: UUID, action: CancelAction) -> RunStatus | None:
        """Ask a running run to stop, or end a pending one. How it stood before; None where there is no such run.

        One that has begun and waits for another worker is `running`: that worker stops it.
        """
        async with self._transaction(tenant) as query:
            found = await query("thread_of_run", {"run_id": run_id})
            if not found:
                return None
            thread_id = found[0]["thread_id"]
            await query("lock_thread", {"thread_id": thread_id})
            # Workers claim it without locking the thread.
            found = await query("lock_run", {"run_id": run_id})
            status: RunStatus | None = found[0]["status"] if found else None
            if status == "running":
                await self._ask_to_stop(query, run_id, action)
            elif status == "pending":
                await self._drop(query, run_id, action)
                await self._settle_after_drop(query, thread_id)
            return status

    async def delete(self, tenant: str, run_id: UUID) -> bool:
        """Whether it was there and not running."""
        async with self._transaction(tenant) as query:
            found = await query("thread_of_run", {"run_id": run_id})
            if not found:
                return False
            await query("lock_thread", {"thread_id": found[0]["thread_id"]})
            deleted = bool(await query("delete_run", {"run_id": run_id}))
            if found[0]["status"] == "pending":
                await self._settle_after_drop(query, found[0]["thread_id"])
            return deleted

    async def outcome(self, tenant: str, run_id: UUID) -> DictRow | None:
        """`status`, `output` (JSON text), `error` (JSON text)."""
        rows = await self._ask(tenant, "outcome", {"run_id": run_id})
        return rows[0] if rows else None

    async def _admit_one(
        self, connection: AsyncConnection[DictRow], tenant: str, new: NewRun, worker_id: int | None
    ) -> Admitted:
        decided = Admission(ready=True)
        query = _asking(connection, self._queries, tenant)
        thread_id = new.thread_id or uuid7()
        if new.thread_id is not None:
            decided = await self._decide(connection, tenant, new)
            await self._clear(query, decided)
        claimed = decided.ready and new.after_seconds <= 0
        values = {**_row(new, thread_id, decided, worker_id if claimed else None), "tenant_id": tenant}
        values |= self._lifetime
        row = (await (await connection.execute(self._queries["insert_run"], values)).fetchall())[0]
        row.pop("tenant_id")
        if not decided.ready:
            # It may be due before those that wait already.
            await query("make_next_ready", {"thread_id": thread_id})
        return Admitted(tenant, Run(**row), decided.stop, decided.drop, decided.action, new.thread_id is None)

    async def _decide(self, connection: AsyncConnection[DictRow], tenant: str, new: NewRun) -> Admission:
        """What stands before the run on its thread, which is locked from here on. Raises NotFound, Conflict."""
        values = {
            "tenant_id": tenant,
            "thread_id": new.thread_id,
            "temporary": new.temporary,
            "made_metadata": text(encode(new.thread_metadata)),
            **self._lifetime,
        }
        if new.create_thread:
            await connection.execute(self._queries["create_thread"], values)
        locked = await connection.execute(self._queries["lock_thread"], values)
        waits = new.multitask_strategy in ("enqueue", "reject")
        before = await connection.execute(self._queries["in_flight" if waits else "lock_in_flight"], values)
        thread = await locked.fetchone()
        if thread is None:
            raise NotFound(f"Thread with ID {new.thread_id} not found")
        rows = await before.fetchall()
        # Only a run of its own makes a thread say whether something waits: a copy is idle whatever it was copied from.
        status = thread["status"] if thread["has_run"] else "unknown"
        check_answer(new, status, thread["interrupts"], [row["resume"] for row in rows])
        decided = admit(new.multitask_strategy, [(row["run_id"], row["status"]) for row in rows])
        if not decided.accepted:
            raise Conflict(BUSY)
        return decided

    async def _clear(self, query: Query, decided: Admission) -> None:
        for run_id in decided.stop:
            await self._ask_to_stop(query, run_id, decided.action)
        for run_id in decided.drop:
            await self._drop(query, run_id, decided.action)

    async def _ask_to_stop(self, query: Query, run_id: UUID, action: CancelAction) -> None:
        await query("ask_to_stop", {"run_id": run_id, "action": action})
        await query("notify", {"channel": STOP, "payload": str(run_id)})

    async def _drop(self, query: Query, run_id: UUID, action: CancelAction) -> None:
        """End a run that never started and is locked: rolled back it is gone, interrupted it is kept as such."""
        if action == "rollback":
            await query("delete_run", {"run_id": run_id})
        else:
            await query("end_pending", {"run_id": run_id, "status": "interrupted", "error": None})
            cancelled = Frame(0, "error", error_words(Ending("interrupted", "idle"), run_id))
            await query("add_last_event_of_lab", {"run_id": run_id, "lines": lines_of([cancelled])})
            await self._say(query, run_id, END, b"null")
        await query("notify", {"channel": EVENTS, "payload": str(run_id)})

    async def _settle_after_drop(self, query: Query, thread_id: UUID) -> None:
        """A thread whose last run in flight was dropped is busy no more; what it shows stays."""
        await query("make_next_ready", {"thread_id": thread_id})
        if not await query("in_flight", {"thread_id": thread_id}):
            await query("calm_thread", {"thread_id": thread_id, "linger_seconds": LINGER_SECONDS})


def _asking(connection: AsyncConnection[DictRow], queries: Mapping[str, bytes], tenant: str) -> Query:
    """Named statements on a connection that the caller holds, in a pipeline perhaps: their rows are not waited for."""

    async def query(name: str, values: Mapping[str, Any]) -> list[DictRow]:
        await connection.execute(queries[name], {**values, "tenant_id": tenant})
        return []

    return query


def _row(new: NewRun, thread_id: UUID, decided: Admission, worker_id: int | None) -> dict[str, Any]:
    run_id = new.run_id or uuid7()
    named = {"graph_id": new.graph_id, "assistant_id": str(new.assistant_id)}
    return {
        "run_id": run_id,
        "thread_id": thread_id,
        "graph_id": new.graph_id,
        "assistant_id": new.assistant_id,
        "metadata": text(encode(new.metadata)),
        "kwargs": text(encode(new.kwargs)),
        "request": request_of(new.kwargs.get("input")),
        "goes_on": new.thread_id is not None and goes_on(new.kwargs),
        "resumable": new.resumable,
        "multitask_strategy": new.multitask_strategy,
        "after_seconds": new.after_seconds,
        "ready": decided.ready and worker_id is None,
        "max_attempts": MAX_ATTEMPTS,
        "worker_id": worker_id,
        "temporary": new.temporary,
        "thread_metadata": text(encode(named)),
        "made_metadata": text(encode(new.thread_metadata)),
        **_thread_config(new),
        "first_event": lines_of([Frame(1, "metadata", first_event(run_id, 1))]),
    }


MAX_ATTEMPTS = 3
"""Workers that a run may lose before it ends in error."""


def _thread_config(new: NewRun) -> dict[str, Any]:
    """What a thread shows as its configuration: the run's over the assistant's, whose own `configurable` is."""
    own = {"configurable": new.assistant_config.get("configurable") or {}}
    return {
        "assistant_config": storable(encode(new.assistant_config)),
        "run_config": storable(encode({**new.run_config, **own})),
    }
