"""LangGraph's Postgres saver, its tables, SQL and serialisation; only who commits, and who waits for whom, is ours."""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.postgres.base import PRUNE_STRATEGIES
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import QueryNoTemplate as Query
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from server.db.checkpoint_values import LIGHT, is_light, placed_metadata, split_values, storable_metadata
from server.db.committing import RECONNECT_PAUSE, RECONNECT_SECONDS, Committer, Statement, Together, held, lost
from server.db.leases import Lease
from server.db.upkeep import QUERIES, Upkeep
from state.errors import Broken, LostLease

Result = TypeVar("Result")
First = Callable[[], Awaitable[None]]


def together() -> Mapping[Query, Together]:
    """Upstream's statements that write one row, and the same for the rows of many runs.

    A row costs a tenth of a statement. Nothing here changes what is written: the conflict clauses are upstream's own.
    """
    blobs = ("text[]", "text[]", "text[]", "text[]", "text[]", "bytea[]")
    checkpoints = ("text[]", "text[]", "text[]", "text[]", "jsonb[]", "jsonb[]")
    writes = ("text[]", "text[]", "text[]", "text[]", "text[]", "int[]", "text[]", "text[]", "bytea[]")
    saver = AsyncPostgresSaver
    return {
        saver.UPSERT_CHECKPOINT_BLOBS_SQL: _for_many(saver.UPSERT_CHECKPOINT_BLOBS_SQL, blobs, ()),
        saver.UPSERT_CHECKPOINTS_SQL: _for_many(saver.UPSERT_CHECKPOINTS_SQL, checkpoints, (0, 1, 2)),
        saver.INSERT_CHECKPOINT_WRITES_SQL: _for_many(saver.INSERT_CHECKPOINT_WRITES_SQL, writes, ()),
        saver.UPSERT_CHECKPOINT_WRITES_SQL: _for_many(saver.UPSERT_CHECKPOINT_WRITES_SQL, writes, (0, 1, 2, 3, 5)),
    }


def _for_many(query: str, types: Sequence[str], key: Sequence[int]) -> Together:
    """An `INSERT … VALUES (one row)` as an `INSERT … SELECT` of arrays. Raises Broken where upstream's has changed."""
    row = f"VALUES ({', '.join(['%s'] * len(types))})"
    if query.count(row) != 1:
        raise Broken(f"langgraph-checkpoint-postgres writes otherwise than expected: {' '.join(query.split())}")
    arrays = ", ".join(f"%s::{kind}" for kind in types)
    many = query.replace(row, f"SELECT * FROM unnest({arrays})")
    return Together(many.encode(), range(len(types)), key)


class GroupedSaver(AsyncPostgresSaver):
    """Writes go through the Committer, with those of all other runs; each reader has a pooled connection of its own.

    What a call awaited is committed. Calls of one thread are committed in the order in which they were made. Writes
    raise LostLease where the saver is `fenced` and the lease is no longer the run's, NoDatabase, and what cannot be
    serialised raises TypeError.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[DictRow]],
        committer: Committer,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(pool, serde=serde)
        self._pool = pool
        self._committer = committer
        self._lease: Lease | None = None
        self._empty = False
        self._first: First | None = None
        self._others: set[tuple[str, str]] = set()
        """Namespaces and ids of checkpoints of other runs that were read; of a fenced copy, until it writes to them."""
        self._serialising: dict[str, asyncio.Task[Any]] = {}
        """The last of each thread's values that are being serialised elsewhere. Shared with the fenced copies."""

    def fenced(self, lease: Lease, *, new_thread: bool = False, first: First | None = None) -> GroupedSaver:
        """The same saver; what it writes is refused once another worker has taken the run over.

        `new_thread`: the thread was made for this run, so that there is nothing to be read before its first write.
        `first` is awaited right before each write is handed in: what it hands in is not committed later.
        """
        clone = copy.copy(self)
        clone._lease = lease
        clone._others = set()
        clone._empty = new_thread
        clone._first = first
        return clone

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that `config` names, or the thread's newest; None where there is none."""
        return None if self._empty else await _through_restarts(lambda: AsyncPostgresSaver.aget_tuple(self, config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, as a child of the one that `config` names."""
        self._empty = False
        where = config["configurable"]
        thread_id, namespace = where["thread_id"], where["checkpoint_ns"]
        inline, apart = split_values(checkpoint["channel_values"])
        versions = {channel: version for channel, version in new_versions.items() if channel in apart}
        blobs = await self._in_order(thread_id, apart, lambda: self._dump_blobs(thread_id, namespace, apart, versions))
        row = (
            thread_id,
            namespace,
            checkpoint["id"],
            where.get("checkpoint_id"),
            Jsonb({**checkpoint, "channel_values": inline}),
            Jsonb(self._metadata(config, metadata)),
        )
        await self._commit((self.UPSERT_CHECKPOINT_BLOBS_SQL, blobs), (self.UPSERT_CHECKPOINTS_SQL, [row]))
        return {"configurable": {"thread_id": thread_id, "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}}

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a task wrote on the checkpoint that `config` names."""
        self._empty = False
        where = config["configurable"]
        special = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        rows = await self._in_order(
            str(where["thread_id"]),
            writes,
            lambda: self._dump_writes(
                where["thread_id"], where["checkpoint_ns"], where["checkpoint_id"], task_id, task_path, writes
            ),
        )
        query = self.UPSERT_CHECKPOINT_WRITES_SQL if special else self.INSERT_CHECKPOINT_WRITES_SQL
        key = (where["checkpoint_ns"], where["checkpoint_id"])
        if self._lease is None or key not in self._others:
            await self._commit((query, rows))
            return
        before = (str(self._lease.run_id), where["thread_id"], *key)
        await self._commit((QUERIES["remember_writes"], [before]), (query, rows))
        self._others.discard(key)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread's checkpoints, values and writes."""
        await self.aprune([thread_id], strategy="delete")

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Roll runs back: delete their checkpoints, and put writes back as they were where they wrote to others'.

        Checkpoints of other runs stay readable: what a delta channel of theirs is built from is kept. Fast for runs
        that have a row; for others every checkpoint is looked at.
        """
        async with self._upkeep() as upkeep:
            await upkeep.forget_runs([str(run_id) for run_id in run_ids])

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all of a thread; what the target already has under the same ids stays."""
        async with self._upkeep() as upkeep:
            await upkeep.copy_thread(source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints of threads, or all but the newest of each namespace and what it is read from.

        For threads on which nothing runs: the caller holds them. Raises ValueError for another strategy.
        """
        await self._prune(thread_ids, strategy, dry_run=False)

    async def prunable(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> Mapping[str, int]:
        """How many checkpoints of each thread `aprune` would delete now."""
        return await self._prune(thread_ids, strategy, dry_run=True)

    async def storage(self, thread_id: str) -> Mapping[str, Any]:
        """Counts and bytes of a thread's checkpoints, channel values and writes, as the Agent Server API shows them."""
        async with self._upkeep() as upkeep:
            return await upkeep.storage(thread_id)

    async def _prune(self, thread_ids: Sequence[str], strategy: str, *, dry_run: bool) -> Mapping[str, int]:
        if isinstance(thread_ids, str):
            raise TypeError("thread_ids is a sequence of ids, not one")
        if strategy not in PRUNE_STRATEGIES:
            raise ValueError(f"unknown prune strategy {strategy!r}; choose of {', '.join(PRUNE_STRATEGIES)}")
        prune = Upkeep.delete_thread if strategy == "delete" else Upkeep.keep_latest
        gone = {}
        for thread_id in map(str, thread_ids):
            async with self._upkeep() as upkeep:
                gone[thread_id] = await prune(upkeep, thread_id, dry_run=dry_run)
        return gone

    @asynccontextmanager
    async def _upkeep(self) -> AsyncIterator[Upkeep]:
        """After all that was handed in to be written, in a transaction that ends with the lease where there is one."""
        await self._committer.settled()
        async with self._pool.connection() as connection, connection.transaction():
            if self._lease is not None and self._lease not in await held(connection, [self._lease]):
                raise LostLease(lost(self._lease))
            yield Upkeep(connection)

    def _metadata(self, config: RunnableConfig, metadata: CheckpointMetadata) -> dict[str, Any]:
        plain = get_serializable_checkpoint_metadata(config, metadata)
        told: dict[str, Any] = storable_metadata({**placed_metadata(config), **plain})
        return told if self._lease is None else {"run_id": str(self._lease.run_id), **told}

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Newest first. All are read before the first is given: a slow reader holds no connection."""

        async def read() -> list[CheckpointTuple]:
            asked = AsyncPostgresSaver.alist(self, config, filter=filter, before=before, limit=limit)
            return [item async for item in asked]

        for item in await _through_restarts(read):
            yield item

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What delta channels are built from."""
        return await _through_restarts(
            lambda: AsyncPostgresSaver.aget_delta_channel_history(self, config=config, channels=channels)
        )

    async def _commit(self, *statements: Statement) -> None:
        if self._first is not None:
            await self._first()
        await self._committer.commit([statement for statement in statements if statement[1]], self._lease)

    async def _in_order(self, thread_id: str, values: object, dump: Callable[[], Result]) -> Result:
        """Serialise, heavy values in a thread; a later call of the same LangGraph thread does not overtake."""
        before = self._serialising.get(thread_id)
        if before is None and is_light(values):
            return dump()
        task = asyncio.create_task(_after(before, dump))
        self._serialising[thread_id] = task
        try:
            return await asyncio.shield(task)
        finally:
            if self._serialising.get(thread_id) is task:
                del self._serialising[thread_id]

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        """For the reads of the class above; without its one lock for all of them."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(binary=True, row_factory=dict_row) as cursor,
        ):
            yield cursor

    async def _load_checkpoint_tuple(self, value: DictRow) -> CheckpointTuple:
        if self._lease is not None and value["metadata"].get("run_id") != str(self._lease.run_id):
            self._others.add((value["checkpoint_ns"], value["checkpoint_id"]))
        size = sum(len(part[2] or b"") for part in value["channel_values"] or ())
        size += sum(len(part[3] or b"") for part in value["pending_writes"] or ())
        if size <= LIGHT:
            return self._tuple_of(value)
        return await asyncio.to_thread(self._tuple_of, value)

    def _tuple_of(self, value: DictRow) -> CheckpointTuple:
        where = {"thread_id": value["thread_id"], "checkpoint_ns": value["checkpoint_ns"]}
        parent = value["parent_checkpoint_id"]
        checkpoint = value["checkpoint"]
        values = {**(checkpoint.get("channel_values") or {}), **self._load_blobs(value["channel_values"])}
        return CheckpointTuple(
            {"configurable": {**where, "checkpoint_id": value["checkpoint_id"]}},
            cast("Checkpoint", {**checkpoint, "channel_values": values}),
            value["metadata"],
            {"configurable": {**where, "checkpoint_id": parent}} if parent else None,
            self._load_writes(value["pending_writes"]),
        )


async def _after(before: asyncio.Task[Any] | None, dump: Callable[[], Result]) -> Result:
    if before is not None:
        await asyncio.wait([before])
    return await asyncio.to_thread(dump)


async def _through_restarts(read: Callable[[], Awaitable[Result]]) -> Result:
    """Read anew while Postgres comes back, as long as writes wait for it. Raises OperationalError after that."""
    deadline = time.monotonic() + RECONNECT_SECONDS
    while True:
        try:
            return await read()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(RECONNECT_PAUSE)
