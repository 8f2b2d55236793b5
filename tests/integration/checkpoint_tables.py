"""LangGraph's tables as rows, to be compared."""

from __future__ import annotations

from typing import Any

from server.db.pool import Pool

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
Rows = dict[str, list[str]]


async def rows_of(pool: Pool, thread_id: str) -> Rows:
    """Every row of a thread as Postgres prints it, without the thread's id, sorted."""
    found: Rows = {}
    async with pool.connection() as connection:
        for table in TABLES:
            cursor = await connection.execute(
                f"SELECT (to_jsonb(t) - 'thread_id')::text AS row FROM {table} t WHERE thread_id = %s",  # type: ignore[arg-type]
                (thread_id,),
            )
            found[table] = sorted(row["row"] for row in await cursor.fetchall())
    return found


async def counts(pool: Pool, thread_id: str) -> dict[str, int]:
    return {table: len(rows) for table, rows in (await rows_of(pool, thread_id)).items()}


def config_of(thread_id: str, **more: Any) -> Any:
    return {"configurable": {"thread_id": thread_id, **more}}
