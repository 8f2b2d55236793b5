"""Runs that this process holds, without a queue: rows as a claim leaves them."""

from __future__ import annotations

from uuid import UUID, uuid4

from server.db.leases import Lease
from server.db.pool import Pool


async def hold(pool: Pool, token: int = 1, *, thread_id: UUID | None = None, status: str = "running") -> Lease:
    """A run on `thread_id`, which is made where it is missing."""
    lease = Lease(uuid4(), token)
    thread_id = thread_id or uuid4()
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO threads (thread_id, tenant_id) VALUES (%s, 'default') ON CONFLICT DO NOTHING", (thread_id,)
        )
        await connection.execute(
            "INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, status, worker_id, lease_token, started_at)"
            " VALUES (%s, 'default', %s, 'g', 'running', 1, %s, now())",
            (lease.run_id, thread_id, token),
        )
    if status != "running":
        await end(pool, lease, status)
    return lease


async def take_over(pool: Pool, lease: Lease) -> Lease:
    """What another worker does."""
    newer = Lease(lease.run_id, lease.token + 1)
    async with pool.connection() as connection:
        await connection.execute("UPDATE runs SET lease_token = %s WHERE run_id = %s", (newer.token, lease.run_id))
    return newer


async def end(pool: Pool, lease: Lease, status: str = "success") -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE runs SET status = %s, finished_at = now() WHERE run_id = %s", (status, lease.run_id)
        )
