"""What a worker does with rows of the queue: claims, ends, hands back. Each method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg.rows import DictRow

from server.db.connection import bound_whole, told_as_no_database
from server.db.notices import EVENTS, RUNS
from server.db.queue_values import batch, shown, text, told
from server.db.repository import Query, Repository
from server.run_queue.shapes import CancelAction, Ending, Run
from server.streaming.frames import END, Frame, lines_of
from server.streaming.lab_stream import LAB, error_words
from server.wire.values import encode
from state.errors import Conflict


@dataclass(frozen=True)
class Claimed:
    tenant: str
    run: Run
    new_thread: bool = False
    """There are no checkpoints yet, and none need be looked for."""
    waited_sec: float = 0.0
    """Since it was due."""


@dataclass(frozen=True)
class Lost:
    """A running run whose worker is gone."""

    tenant: str
    run_id: UUID
    thread_id: UUID
    token: int
    attempt: int
    max_attempts: int
    cancel: CancelAction | None


@dataclass(frozen=True)
class Held:
    """What the database says of the runs that a worker believes to hold."""

    tokens: Mapping[UUID, int]
    cancels: Mapping[UUID, CancelAction] = field(default_factory=dict)
    runs: Sequence[Lost] = ()
    """All of them, as they were to be taken over should the worker not know of them."""


class ClaimRows(Repository):
    """Runs of any tenant. Every method raises NoDatabase."""

    async def get(self, tenant: str, run_id: UUID, thread_id: UUID | None = None) -> Run | None:
        rows = await self._ask(tenant, "get_run", {"run_id": run_id, "thread_id": thread_id})
        return Run(**rows[0]) if rows else None

    async def claim(self, worker_id: int, slots: int) -> Sequence[Claimed]:
        """Runs that are this worker's from now on. A run that another process began on the thread meanwhile makes
        Postgres raise UniqueViolation; nothing is claimed then."""
        rows = await self._ask("", "claim", {"worker_id": worker_id, "slots": slots})
        return [Claimed(row.pop("tenant_id"), waited_sec=row.pop("waited_sec"), run=Run(**row)) for row in rows]

    async def next_due(self) -> float | None:
        """Seconds until a run can be claimed; None where none waits."""
        rows = await self._ask("", "next_due", {})
        seconds = rows[0]["seconds"]
        return None if seconds is None else float(seconds)

    async def end(self, tenant: str, run: Run, ending: Ending, frames: Sequence[Frame]) -> bool:
        """Record how a claimed run ended, with the last of its events and what its thread shows. Whether another run
        of the thread can start now. Raises Conflict where the run is no longer this worker's: nothing was written."""
        assert run.lease_token is not None
        url, body = ending.webhook or (None, None)
        values = {
            **batch(run.run_id, frames),
            **shown(ending),
            "tenant_id": tenant,
            "thread_id": run.thread_id,
            "token": run.lease_token,
            "status": ending.status,
            "output": text(ending.output),
            "error": told(ending.error),
            "answer": ending.answer,
            "figures": text(ending.figures),
            "waits": ending.waits,
            "webhook_url": url,
            "webhook_body": text(body),
        }
        with told_as_no_database(self._dsn):
            async with self._pool.connection() as connection:
                if run.temporary:
                    # Nothing waits on the thread of a stateless run, so that it need not be locked. What its client may
                    # have put there all the same is found by `tidy`.
                    over = await connection.execute(self._queries["end_run"], values)
                else:
                    # One round trip: nobody needs to look at what comes between.
                    async with connection.pipeline(), connection.transaction():
                        await bound_whole(connection)
                        await connection.execute(self._queries["lock_thread"], values)
                        over = await connection.execute(self._queries["end_run"], values)
                rows = await over.fetchall()
        if not rows:
            raise Conflict(f"run {run.run_id} is no longer this worker's; its end was not recorded")
        return bool(rows[0]["waiting"])

    async def roll_back(self, tenant: str, run: Run, ending: Ending) -> bool:
        """Delete a claimed run; its checkpoints are gone already. As `end`."""
        async with self._transaction(tenant) as query:
            await query("lock_thread", {"thread_id": run.thread_id})
            if not await query("delete_claimed", {"run_id": run.run_id, "token": run.lease_token}):
                raise Conflict(f"run {run.run_id} is no longer this worker's; it was not rolled back")
            await query("notify", {"channel": EVENTS, "payload": str(run.run_id)})
            return await self._settle(query, run.thread_id, ending)

    async def put_back(self, tenant: str, run_id: UUID, thread_id: UUID, token: int, *, counted: bool) -> bool:
        """Let a run be claimed again, whoever held it; not `counted`: it was handed back, not lost."""
        async with self._transaction(tenant) as query:
            await query("lock_thread", {"thread_id": thread_id})
            values = {"run_id": run_id, "token": token, "uncounted": 0 if counted else 1}
            done = bool(await query("put_back", values))
            await query("notify", {"channel": RUNS, "payload": ""})
            return done

    async def end_lost(self, lost: Lost, ending: Ending) -> bool:
        """End a run whose worker is gone. Whether it was still that worker's."""
        values = {"run_id": lost.run_id, "token": lost.token, "status": ending.status, "error": told(ending.error)}
        async with self._transaction(lost.tenant) as query:
            await query("lock_thread", {"thread_id": lost.thread_id})
            ended = await query("end_lost", values)
            if not ended:
                return False
            if ending.webhook is not None:
                url, body = ending.webhook
                await query("add_webhook", {"run_id": lost.run_id, "webhook_url": url, "webhook_body": text(body)})
            if ending.error is not None:
                of_lab = error_words(ending, lost.run_id) if ended[0]["mode"] == LAB else encode(ending.error)
                await self._say(query, lost.run_id, "error", of_lab)
            await self._say(query, lost.run_id, END, b"null")
            await query("notify", {"channel": EVENTS, "payload": str(lost.run_id)})
            if await self._settle(query, lost.thread_id, ending):
                await query("notify", {"channel": RUNS, "payload": ""})
            return True

    async def held(self, worker_id: int) -> Held:
        """Which runs are a worker's own."""
        rows = await self._ask("", "held", {"worker_id": worker_id})
        cancels = {row["run_id"]: row["cancel"] for row in rows if row["cancel"]}
        return Held({row["run_id"]: row["lease_token"] for row in rows}, cancels, _lost(rows))

    async def peers(self, worker_id: int) -> int:
        """How many other processes live."""
        return int((await self._ask("", "count_peers", {"worker_id": worker_id}))[0]["peers"])

    async def lost(self, worker_id: int) -> Sequence[Lost]:
        """Running runs of workers that are dead or were stopped past their lease."""
        rows = await self._ask("", "lost_runs", {"worker_id": worker_id})
        return _lost(rows)

    async def tidy(self) -> None:
        """Mend what should never be broken, forget workers long gone."""
        async with self._transaction("") as query:
            await query("heal", {})
            await query("forget_workers", {})

    async def _settle(self, query: Query, thread_id: UUID, ending: Ending) -> bool:
        waiting = bool(await query("make_next_ready", {"thread_id": thread_id}))
        await query("settle_thread", {"thread_id": thread_id, "busy": waiting, **shown(ending)})
        return waiting

    async def _say(self, query: Query, run_id: UUID, name: str, data: bytes) -> None:
        await query("add_last_event", {"run_id": run_id, "lines": lines_of([Frame(0, name, data)])})


def _lost(rows: Sequence[DictRow]) -> list[Lost]:
    return [
        Lost(
            tenant=row["tenant_id"],
            token=row["lease_token"],
            **{name: row[name] for name in ("run_id", "thread_id", "attempt", "max_attempts", "cancel")},
        )
        for row in rows
    ]
