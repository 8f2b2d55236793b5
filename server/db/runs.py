"""Threads and runs: one run at a time on a thread, and a run whose process died is taken over by the next.

A run is `running` from `begin` until `finish`. Which process runs it is its `worker_id`, and whether that one lives is
an advisory lock (`worker.py`). Statuses move by conditional update only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from langchain_core.utils.uuid import uuid7
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from server.db.assistant_shapes import system_id as system_assistant
from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.json_values import exact_json, nearest_json, storable_text
from server.db.leases import Lease
from server.db.sql import FOLDER, read_queries
from server.db.worker import Worker
from server.run_queue.digest import answer_of, figures_of, request_of
from server.wire.values import encode
from state.errors import Conflict, NotFound

RunStatus = Literal["pending", "running", "success", "error", "interrupted", "timeout"]
Outcome = Literal["success", "error", "interrupted", "timeout"]
ThreadStatus = Literal["idle", "busy", "interrupted", "error"]

Query = Callable[[str, Mapping[str, object]], Awaitable[list[DictRow]]]

ABANDONED = "the process that ran it ended"
_QUERIES = read_queries(FOLDER / "runs.sql")
_LEAVES: Mapping[Outcome, ThreadStatus] = {
    "success": "idle",
    "interrupted": "interrupted",
    "error": "error",
    "timeout": "error",
}


@dataclass(frozen=True)
class Thread:
    """`status` is `busy` only while a living process is at work on it."""

    thread_id: UUID
    graph_id: str
    status: ThreadStatus
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Run:
    """One whose process ended in mid-run is told as `error`, before the next `begin` records it."""

    run_id: UUID
    thread_id: UUID
    graph_id: str
    status: RunStatus
    input: Any
    context: Any
    result: Any
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Runs:
    """Runs of one tenant, started by one process. Every method raises NoDatabase when Postgres cannot be reached."""

    def __init__(self, pool: Pool, worker: Worker, *, tenant_id: str = "default") -> None:
        self._pool = pool
        self._worker = worker
        self._tenant_id = tenant_id

    async def begin(
        self, thread_id: UUID, graph_id: str, input: object = None, context: Mapping[str, object] | None = None
    ) -> Lease:
        """Record a run as running, on a thread that is created when new; returns this process's hold on it.

        Raises Conflict when a living process is at work on the thread or it belongs to another graph, NotFound when the
        thread is another tenant's, BadRequest when input or context are not JSON that Postgres can keep.
        """
        run_id = uuid7()
        assistant_id = system_assistant(graph_id)
        values = {
            "assistant_id": assistant_id,
            "metadata": Jsonb({"graph_id": graph_id, "assistant_id": str(assistant_id)}),
            "thread_id": thread_id,
            "graph_id": graph_id,
            "run_id": run_id,
            "input": exact_json("input", input),
            "context": exact_json("context", context),
            "request": None if input is None else request_of(input),
            "goes_on": input is None or (isinstance(input, Mapping) and input.get("prompt") is None),
            "error": ABANDONED,
            "status": "busy",
        }
        await self._worker.hold()
        try:
            async with self._transaction() as query:
                await query("create_thread", values)
                found = await query("lock_thread", values)
                if not found:
                    raise NotFound(f"no thread {thread_id}")
                await query("set_graph", values)
                if found[0]["graph_id"] not in (None, graph_id):
                    raise Conflict(
                        f"thread {thread_id} belongs to graph {found[0]['graph_id']!r}, not {graph_id!r}; "
                        "start a new thread"
                    )
                if waiting := await query("begun_waiting", values):
                    raise Conflict(
                        f"thread {thread_id} has run {waiting[0]['run_id']} in the queue, which has begun and goes on "
                        "when a worker is there (lab serve, lab worker)"
                    )
                await query("end_dead_runs", values)
                inserted = await query("insert_running", values)
                await query("set_thread_status", values)
        except psycopg.errors.UniqueViolation as error:
            raise Conflict(
                f"thread {thread_id} is busy with run {await self._running_run(thread_id)}; "
                "wait for it to end or cancel it"
            ) from error
        return Lease(run_id, inserted[0]["lease_token"])

    async def finish(
        self, run_id: UUID, status: Outcome, *, result: object = None, error: str | None = None, waits: bool = False
    ) -> None:
        """Record how a run of this process ended; `waits`: interrupted by a question of its own.

        Raises Conflict when it is not running here (any more), NotFound.
        """
        left = {"result": result}
        answer, figures = (None, None) if result is None else (answer_of(left, encode(result)), figures_of(left))
        values = {
            "run_id": run_id,
            "status": status,
            "waits": waits,
            "result": nearest_json("result", result),
            "answer": answer,
            "figures": None if figures is None else figures.decode(),
            "error": None if error is None else storable_text(error),
        }
        async with self._transaction() as query:
            found = await query("thread_of_run", values)
            if not found:
                raise NotFound(f"no run {run_id}")
            thread = {"thread_id": found[0]["thread_id"]}
            await query("lock_thread", thread)
            if not await query("finish_run", values):
                raise Conflict(f"run {run_id} is not running in this process; another one took its thread over")
            waiting = await query("make_next_ready", thread)
            await query("set_thread_status", {**thread, "status": "busy" if waiting else _LEAVES[status]})

    async def get_thread(self, thread_id: UUID) -> Thread:
        """Raises NotFound."""
        async with self._transaction() as query:
            found = await query("get_thread", {"thread_id": thread_id})
        if not found:
            raise NotFound(f"no thread {thread_id}")
        return Thread(**found[0])

    async def thread_status(self, thread_id: UUID) -> ThreadStatus:
        """Raises NotFound."""
        return (await self.get_thread(thread_id)).status

    async def get_run(self, run_id: UUID) -> Run:
        """Raises NotFound."""
        async with self._transaction() as query:
            found = await query("get_run", {"run_id": run_id})
        if not found:
            raise NotFound(f"no run {run_id}")
        return _run(found[0])

    async def newest_run(self, thread_id: UUID) -> Run | None:
        async with self._transaction() as query:
            found = await query("newest_run", {"thread_id": thread_id})
        return _run(found[0]) if found else None

    async def last_unfinished(self, graph_id: str | None = None) -> Thread | None:
        """The thread to resume: the latest whose newest run did not succeed and is not at work in a living process."""
        async with self._transaction() as query:
            found = await query("last_unfinished", {"graph_id": graph_id})
        return Thread(**found[0]) if found else None

    async def _running_run(self, thread_id: UUID) -> UUID | None:
        async with self._transaction() as query:
            found = await query("running_run", {"thread_id": thread_id})
        return found[0]["run_id"] if found else None

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Query]:
        """Named queries in one transaction; tenant and worker are always among their values."""
        with told_as_no_database(self._worker.dsn):
            async with self._pool.connection() as connection, connection.transaction():

                async def query(name: str, values: Mapping[str, object]) -> list[DictRow]:
                    ours = {"tenant_id": self._tenant_id, "worker_id": self._worker.id}
                    cursor = await connection.execute(_QUERIES[name], {**values, **ours})
                    return await cursor.fetchall() if cursor.description else []

                yield query


async def count_abandoned(connection: AsyncConnection[DictRow]) -> int:
    """Runs, of any tenant, whose process ended in mid-run and whose thread was not used since."""
    row = await (await connection.execute(_QUERIES["count_abandoned"])).fetchone()
    return 0 if row is None else int(row["count"])


def _run(row: DictRow) -> Run:
    if row.pop("abandoned"):
        row |= {"status": "error", "error": ABANDONED}
    return Run(**row)
