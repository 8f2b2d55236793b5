"""Threads as clients of the Agent Server know them. Their states are in `server/thread_states.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from server.db.checkpoints import Pool
from server.db.json_values import nearest_json
from server.db.repository import Query, Repository
from server.db.upkeep import Upkeep
from state.errors import Conflict, NotFound

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
Strategy = Literal["delete", "keep_latest"]
SortBy = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]
SortOrder = Literal["asc", "desc"]

_SORT_KEYS: Sequence[SortBy] = ("thread_id", "status", "created_at", "updated_at", "state_updated_at")
_SORT_ORDERS: Sequence[SortOrder] = ("asc", "desc")
_MAX_OFFSET = 2**63 - 1

CHANGES_AT_ONCE = 4
"""Of the pool's connections, which each holds while a graph's own code runs: the others stay for everybody else."""


@dataclass(frozen=True)
class Lifetime:
    """What happens to a thread, and how many minutes after its last run or change of state."""

    strategy: Strategy
    minutes: float


@dataclass(frozen=True)
class Thread:
    """A row of `threads`."""

    thread_id: UUID
    graph_id: str | None
    status: ThreadStatus
    metadata: Mapping[str, Any]
    config: Mapping[str, Any]
    values: Any
    interrupts: Mapping[str, Any]
    error: Any
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    lifetime: Lifetime | None
    expires_at: datetime | None

    @property
    def graph(self) -> str | None:
        """The graph whose state it holds: the one its metadata names, which clients may change."""
        named = self.metadata.get("graph_id")
        return self.graph_id if named is None else str(named)


@dataclass(frozen=True)
class NewThread:
    """A thread as it is asked for."""

    thread_id: UUID
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lifetime: Lifetime | None = None


@dataclass(frozen=True)
class ThreadFilter:
    """Which threads are meant: metadata and values contain these, all the way down."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    status: ThreadStatus | None = None
    ids: Sequence[UUID] = ()
    """Empty: any."""


@dataclass(frozen=True)
class Order:
    """In what order, and how much of each thread. At equal keys the older thread comes first."""

    sort_by: SortBy = "updated_at"
    sort_order: SortOrder = "desc"
    with_values: bool = True


class Threads(Repository):
    """Threads of every tenant. Every method raises NoDatabase when Postgres cannot be reached."""

    def __init__(self, pool: Pool, dsn: str, *, lifetime: Lifetime | None = None) -> None:
        """`lifetime`: of threads that are made without one."""
        super().__init__(pool, dsn, "threads.sql")
        self._lifetime = lifetime
        self._slots = asyncio.Semaphore(CHANGES_AT_ONCE)
        base = self._queries.pop("search")
        # Each order is a query of its own, made here from names of ours: nothing of a request is ever part of SQL.
        for key in _SORT_KEYS:
            for order in _SORT_ORDERS:
                sort = f"{key} {order}, created_at, thread_id".encode()
                self._queries[f"search {key} {order}"] = base.replace(b"sort_key", sort)

    async def create(self, tenant: str, new: NewThread, *, keep_existing: bool = False) -> Thread:
        """Raises Conflict when the id is taken, unless `keep_existing`: then the one that is there is given."""
        values = {
            "thread_id": new.thread_id,
            "metadata": Jsonb(new.metadata),
            **_lifetime(new.lifetime or self._lifetime),
        }
        async with self._transaction(tenant) as query:
            rows = await query("create", values)
            if not rows and keep_existing:
                rows = await query("get", values)
        if not rows:
            raise Conflict(f"Thread with ID {new.thread_id} already exists")
        return thread_of(rows[0])

    async def get(self, tenant: str, thread_id: UUID) -> Thread:
        """Raises NotFound."""
        async with self._transaction(tenant) as query:
            return found(thread_id, await query("get", {"thread_id": thread_id}))

    async def patch(
        self, tenant: str, thread_id: UUID, metadata: Mapping[str, Any], lifetime: Lifetime | None
    ) -> Thread:
        """Merge metadata at the top level. Raises NotFound, with no more words than the reference server has."""
        values = {"thread_id": thread_id, "metadata": Jsonb(metadata), **_lifetime(lifetime)}
        async with self._transaction(tenant) as query:
            rows = await query("patch", values)
        if not rows:
            raise NotFound("Not Found")
        return thread_of(rows[0])

    async def delete(self, tenant: str, thread_id: UUID) -> None:
        """With its runs and checkpoints; a run at work on it loses its lease. Raises NotFound."""
        if not await self.delete_many(tenant, [thread_id]):
            raise NotFound(f"Thread with ID {thread_id} not found")

    async def delete_many(self, tenant: str, thread_ids: Sequence[UUID]) -> list[UUID]:
        """Those that there were."""
        async with self._transaction_on(tenant) as (query, connection):
            gone = [row["thread_id"] for row in await query("delete", {"thread_ids": list(thread_ids)})]
            # Later statements: they see what a worker committed while the one before waited for it.
            for thread_id in gone:
                await Upkeep(connection).delete_thread(str(thread_id))
        return gone

    async def prune(
        self, tenant: str, thread_ids: Sequence[UUID], strategy: Strategy, *, dry_run: bool = False
    ) -> list[UUID]:
        """Delete threads, or with `keep_latest` all of their history but the newest state; returns those there were.

        `dry_run`: nothing is deleted.
        """
        if dry_run:
            return await self.existing(tenant, thread_ids)
        if strategy == "delete":
            return await self.delete_many(tenant, thread_ids)
        return [thread_id for thread_id in set(thread_ids) if await self.keep_latest(tenant, thread_id)]

    async def keep_latest(self, tenant: str, thread_id: UUID) -> bool:
        """Delete all but the newest state of a thread, in a transaction of its own; whether there is such a thread."""
        async with self._transaction_on(tenant) as (query, connection):
            if not await query("lock", {"thread_id": thread_id}):
                return False
            await Upkeep(connection).keep_latest(str(thread_id))
        return True

    async def storage(self, tenant: str, thread_id: UUID) -> Mapping[str, Any]:
        """What a thread's history takes, in bytes. Raises NotFound."""
        async with self._transaction_on(tenant) as (query, connection):
            thread = found(thread_id, await query("get", {"thread_id": thread_id}))
            return await Upkeep(connection).storage(str(thread.thread_id))

    async def existing(self, tenant: str, thread_ids: Sequence[UUID]) -> list[UUID]:
        """Those of these threads that there are."""
        async with self._transaction(tenant) as query:
            return [row["thread_id"] for row in await query("existing", {"thread_ids": list(thread_ids)})]

    async def search(self, tenant: str, wanted: ThreadFilter, order: Order, *, limit: int, offset: int) -> list[Thread]:
        """Those that fit, at most `limit` after the first `offset`."""
        values = {
            **_filter(wanted),
            "ids": list(wanted.ids) or None,
            "with_values": order.with_values,
            "limit": limit,
            "offset": min(offset, _MAX_OFFSET),
        }
        async with self._transaction(tenant) as query:
            return [thread_of(row) for row in await query(f"search {order.sort_by} {order.sort_order}", values)]

    async def count(self, tenant: str, wanted: ThreadFilter) -> int:
        """How many fit."""
        async with self._transaction(tenant) as query:
            rows = await query("count", _filter(wanted))
        return int(rows[0]["count"])

    async def copy(self, tenant: str, thread_id: UUID) -> Thread:
        """A thread of its own with the same history. Raises Conflict when there is none: the reference says no more."""
        values = {"thread_id": thread_id, "copy_id": uuid4(), **_lifetime(self._lifetime)}
        async with self._transaction_on(tenant) as (query, connection):
            rows = await query("copy", values)
            if not rows:
                raise Conflict("Conflict")
            await Upkeep(connection).copy_thread(str(thread_id), str(values["copy_id"]))
        return thread_of(rows[0])

    @asynccontextmanager
    async def changing(self, tenant: str, thread_id: UUID) -> AsyncIterator[Change]:
        """A transaction in which no run starts on the thread. Raises NotFound, Conflict when one is in flight."""
        values = {"thread_id": thread_id}
        async with self._slots, self._transaction_on(tenant) as (query, connection):
            thread = found(thread_id, await query("lock", values))
            if busy := await query("in_flight", values):
                raise Conflict(f"Thread {thread_id} has in-flight runs: {[str(row['run_id']) for row in busy]}")
            yield Change(thread, connection, query)


@dataclass(frozen=True)
class Change:
    """A thread that is being changed, and the transaction that changes it."""

    thread: Thread
    connection: AsyncConnection[DictRow]
    query: Query

    async def set_state(self, status: ThreadStatus, values: object, interrupts: object) -> Thread:
        """What lists show of the thread from now on, as plain JSON. Raises BadRequest where that is nested too deep."""
        rows = await self.query(
            "set_state",
            {
                "thread_id": self.thread.thread_id,
                "status": status,
                "values": nearest_json("values", values),
                "interrupts": nearest_json("interrupts", interrupts),
            },
        )
        return thread_of(rows[0])


def found(thread_id: UUID, rows: Sequence[DictRow]) -> Thread:
    """The one thread in `rows`. Raises NotFound in the reference server's words."""
    if not rows:
        raise NotFound(f"Thread with ID {thread_id} not found")
    return thread_of(rows[0])


def thread_of(row: DictRow) -> Thread:
    """A row of `threads` as a value."""
    minutes = row["ttl_minutes"]
    return Thread(
        lifetime=None if minutes is None else Lifetime(row["ttl_strategy"] or "delete", minutes),
        **{name: row[name] for name in _COLUMNS},
    )


_COLUMNS = tuple(name for name in Thread.__dataclass_fields__ if name != "lifetime")


def _lifetime(lifetime: Lifetime | None) -> dict[str, Any]:
    return {
        "ttl_strategy": lifetime.strategy if lifetime else None,
        "ttl_minutes": lifetime.minutes if lifetime else None,
    }


def _filter(wanted: ThreadFilter) -> dict[str, Any]:
    parts = {"metadata": wanted.metadata, "values": wanted.values}
    lists = [
        {"within": within, "path": path, "list": value}
        for within, part in parts.items()
        for path, value in lists_in(part)
    ]
    return {
        "lists": Jsonb(lists),
        "metadata": Jsonb(wanted.metadata),
        "values": Jsonb(wanted.values) if wanted.values else None,
        "status": wanted.status,
    }


def lists_in(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """The lists in nested objects, each with where it stands; those inside of lists are parts of these."""
    match value:
        case list():
            yield path, value
        case Mapping():
            for key, inner in value.items():
                yield from lists_in(inner, (*path, key))
