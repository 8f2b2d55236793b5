"""The log of events in Postgres: batches written under a lease, read by cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg.abc import QueryNoTemplate as Query

from server.db.checkpoints import Pool
from server.db.committing import Committer, Together
from server.db.leases import Lease
from server.db.notices import EVENTS
from server.db.repository import Repository
from server.db.sql import FOLDER, read_queries
from server.streaming.frames import Frame, frames_of, lines_of

READ_BATCHES = 100
"""Batches of events in one read."""


def together() -> Mapping[Query, Together]:
    """What this file commits, and the same for many runs."""
    queries = read_queries(FOLDER / "queue.sql")
    batch = ("tenant_id", "run_id", "first_seq", "last_seq", "lines")
    notice = ("channel", "payload")
    return {
        queries["add_events"]: Together(queries["add_events_of_many"], batch, ("run_id", "first_seq")),
        queries["notify"]: Together(queries["notify_many"], notice, notice),
    }


class RunEvents(Repository):
    def __init__(self, pool: Pool, dsn: str, committer: Committer) -> None:
        super().__init__(pool, dsn, "queue.sql")
        self._committer = committer

    async def add(self, tenant: str, lease: Lease, frames: Sequence[Frame], *, tell: bool) -> None:
        """Commit a batch; with `tell` other processes are told. Raises LostLease, NoDatabase."""
        row = {
            "tenant_id": tenant,
            "run_id": lease.run_id,
            "first_seq": frames[0].seq,
            "last_seq": frames[-1].seq,
            "lines": lines_of(frames),
        }
        statements = [(self._queries["add_events"], [row])]
        if tell:
            statements.append((self._queries["notify"], [{"channel": EVENTS, "payload": str(lease.run_id)}]))
        await self._committer.commit(statements, lease)

    async def after(self, tenant: str, run_id: UUID, seq: int) -> Sequence[Frame]:
        """Events that came after `seq`, in order, as many as one read gives; none where there are no more yet."""
        async with self._transaction(tenant) as query:
            rows = await query("events_after", {"run_id": run_id, "after": seq, "limit": READ_BATCHES})
        frames = [frame for row in rows for frame in frames_of(row["first_seq"], row["lines"])]
        return [frame for frame in frames if frame.seq > seq]

    async def last_seq(self, tenant: str, run_id: UUID) -> int:
        """Of the newest event; 0 where there is none."""
        async with self._transaction(tenant) as query:
            rows = await query("last_seq", {"run_id": run_id})
        return int(rows[0]["last"])
