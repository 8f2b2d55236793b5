"""Crons: schedules of runs, kept by tenant; and the one transaction in which a tick is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Json, Jsonb

from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.notices import RUNS
from server.db.repository import Repository
from state.errors import NotFound

SortBy = Literal["cron_id", "assistant_id", "thread_id", "next_run_date", "end_time", "created_at", "updated_at"]
OnRunCompleted = Literal["delete", "keep"]


@dataclass(frozen=True)
class Cron:
    """A row of `crons`."""

    tenant_id: str
    cron_id: UUID
    assistant_id: UUID
    thread_id: UUID | None
    """None: each run has a thread of its own."""
    schedule: str
    timezone: str | None
    end_time: datetime | None
    payload: Mapping[str, Any]
    """What its client sent, with the assistant's id and `config.configurable.cron_id` set."""
    metadata: Mapping[str, Any]
    on_run_completed: OnRunCompleted | None
    enabled: bool
    next_run_date: datetime | None
    """None: it starts no more."""
    created_at: datetime
    updated_at: datetime
    user_id: str = ""


@dataclass(frozen=True)
class CronFilter:
    """None and an empty mapping: any."""

    assistant_id: UUID | None = None
    thread_id: UUID | None = None
    enabled: bool | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Crons(Repository):
    """Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "crons.sql")

    async def create(self, cron: Cron) -> Cron:
        """Raises NotFound for a thread or an assistant that the tenant does not have."""
        try:
            async with self._transaction(cron.tenant_id) as query:
                rows = await query("insert", {**_row(cron), "now": cron.created_at})
        except psycopg.errors.ForeignKeyViolation:
            raise NotFound(f"Assistant '{cron.assistant_id}' not found") from None
        if not rows:
            raise NotFound(
                f"Thread with ID '{cron.thread_id}' not found. Please verify the ID is correct and the thread hasn't"
                " been deleted or expired."
            )
        return _cron(rows[0])

    async def get(self, tenant: str, cron_id: UUID) -> Cron | None:
        async with self._transaction(tenant) as query:
            rows = await query("get", {"cron_id": cron_id})
        return _cron(rows[0]) if rows else None

    async def change(self, tenant: str, cron_id: UUID, changed: Callable[[Cron], Cron]) -> Cron | None:
        """Replace a cron by `changed` of it, nobody between; None where there is none."""
        async with self._transaction(tenant) as query:
            rows = await query("lock", {"cron_id": cron_id})
            if not rows:
                return None
            return _cron((await query("replace", _row(changed(_cron(rows[0])))))[0])

    async def delete(self, tenant: str, cron_id: UUID) -> bool:
        """Whether it was there."""
        async with self._transaction(tenant) as query:
            return bool(await query("delete", {"cron_id": cron_id}))

    async def search(
        self, tenant: str, wanted: CronFilter, *, sort_by: SortBy, descending: bool, limit: int, offset: int
    ) -> list[Cron]:
        values = {**_filter(wanted), "sort_by": sort_by, "descending": descending, "limit": limit, "offset": offset}
        async with self._transaction(tenant) as query:
            return [_cron(row) for row in await query("search", values)]

    async def count(self, tenant: str, wanted: CronFilter) -> int:
        """Of enabled and disabled ones alike, as the reference server counts."""
        async with self._transaction(tenant) as query:
            return int((await query("count", _filter(wanted)))[0]["found"])

    async def due(self, now: datetime, limit: int) -> list[Cron]:
        """Of all tenants, the longest due first."""
        async with self._transaction("") as query:
            return [_cron(row) for row in await query("due", {"now": now, "limit": limit})]

    @asynccontextmanager
    async def tick(self, cron: Cron, following: datetime | None) -> AsyncIterator[AsyncConnection[DictRow] | None]:
        """One transaction in which `cron`, as it was seen, moves on to `following` and its run is admitted.

        Gives the connection; None where another process has taken this tick, or the cron was changed meanwhile.
        """
        values = {"tenant_id": cron.tenant_id, "cron_id": cron.cron_id, "updated_at": cron.updated_at}
        values |= {"tick": cron.next_run_date, "next_run_date": following, "enabled": cron.enabled}
        with told_as_no_database(self._dsn):
            async with self._pool.connection() as connection, connection.transaction():
                cursor = await connection.execute(self._queries["take_tick"], values)
                if await cursor.fetchone() is None:
                    yield None
                    return
                yield connection
                await connection.execute(self._queries["notify"], {"channel": RUNS})

    async def disable(self, cron: Cron, now: datetime) -> None:
        async with self._transaction(cron.tenant_id) as query:
            await query("disable", {"cron_id": cron.cron_id, "now": now})


def _row(cron: Cron) -> dict[str, Any]:
    return {**asdict(cron), "payload": Json(cron.payload), "metadata": Jsonb(cron.metadata)}


def _filter(wanted: CronFilter) -> dict[str, Any]:
    return {**asdict(wanted), "metadata": Jsonb(wanted.metadata)}


def _cron(row: DictRow) -> Cron:
    return Cron(**{name: row[name] for name in Cron.__dataclass_fields__})
