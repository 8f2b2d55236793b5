"""Executions so far, of every graph: found by what they are, by when they were and by the words in them.

An execution is a run with the runs that went on with it: that brought an answer to what it asked, or resumed it after
it was cut or failed. Its id is that of its first run; the id of any of its runs finds it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.checkpoints import Pool
from server.db.history_shapes import Execution, Found, HistoryFilter, PartOf
from server.db.jobs import runs_of_status
from server.db.json_values import storable_text
from server.db.repository import Query, Repository
from server.db.runs import ABANDONED
from server.db.upkeep import Upkeep
from state.errors import BadRequest

FEW = 1_000
"""Hits that are looked up one by one. Where there are more, the newest executions are gone through: soon enough have
the words in them."""
_ANY_TENANT = ""
_CURSOR = b"h1"
"""Begins every cursor; what another version made is refused."""


class History(Repository):
    """Of every tenant. Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "history.sql")
        told = self._queries.pop("executions")
        self._queries |= {name: told + b"\n" + self._queries[name] for name in ("search", "one")}

    async def search(self, tenant: str, wanted: HistoryFilter, *, limit: int, cursor: str | None = None) -> Found:
        """The newest first, those older than `cursor`. Raises BadRequest: a cursor that is none."""
        values = {**_values(wanted), "before": None if cursor is None else seq_of(cursor), "limit": limit + 1}
        async with self._transaction_on(tenant) as (query, connection):
            values |= {"gone": await _gone(query), "tenant_id": tenant, "ids": None}
            if wanted.words is not None:
                hits = [row["execution_id"] for row in await query("hits", {**values, "most": FEW + 1})]
                values |= {"ids": hits, "words": None} if len(hits) <= FEW else {}
            # Planned each time, for half a millisecond: a plan for any filter reads all there is.
            cursor_of_rows = await connection.execute(self._queries["search"], values, prepare=False)
            rows = await cursor_of_rows.fetchall()
        found = [_execution(row, values["gone"]) for row in rows[:limit]]
        return Found(found, cursor_of(found[-1].seq) if len(rows) > limit else None)

    async def get(self, tenant: str, run_id: UUID) -> Execution | None:
        """The execution of which a run is part."""
        async with self._transaction(tenant) as query:
            gone = await _gone(query)
            rows = await query("one", {"run_id": run_id, "gone": gone})
        return _execution(rows[0], gone) if rows else None

    async def ended(self, tenant: str, run_id: UUID) -> Execution | None:
        """The same of a run of the queue that has just ended: there is nobody to look for."""
        rows = await self._ask(tenant, "one", {"run_id": run_id, "gone": []})
        return _execution(rows[0], ()) if rows else None

    async def parts(self, tenant: str, execution_id: UUID) -> Sequence[PartOf]:
        """The runs of an execution, in order."""
        rows = await self._ask(tenant, "parts", {"execution_id": execution_id})
        return [PartOf(**{**row, "modes": row["modes"] or ()}) for row in rows]

    async def is_newest(self, tenant: str, execution: Execution) -> bool:
        """Whether its thread has gone on with nothing else since."""
        where = {"thread_id": execution.thread_id, "run_id": execution.run_id}
        return bool((await self._ask(tenant, "is_newest", where))[0]["newest"])

    async def delete(self, tenant: str, execution: Execution) -> None:
        """Delete its runs but for one that is in flight, with their events, and its thread where it was made for it and
        nothing else has run on it."""
        async with self._transaction_on(tenant) as (query, connection):
            await query("lock_thread", {"thread_id": execution.thread_id})
            gone = await _gone(query)
            runs = [row["run_id"] for row in await query("parts", {"execution_id": execution.execution_id})]
            await query("delete", {"run_ids": runs, "gone": gone})
            if execution.metadata.get("own_thread") is not False:
                await _delete_threads(query, connection, [(execution.thread_id, execution.created_at)])

    async def forget_old(self, days: float, limit: int) -> Sequence[tuple[str, UUID]]:
        """Delete runs of any tenant that ended more than `days` ago, with threads that were made for them and nothing
        else; tenant and id of each run."""
        async with self._transaction_on(_ANY_TENANT) as (query, connection):
            old = await query("old", {"days": days, "limit": limit})
            locked = await query("lock_threads", {"thread_ids": list({row["thread_id"] for row in old})})
            chosen = {
                "run_ids": [row["run_id"] for row in old],
                "thread_ids": [row["thread_id"] for row in locked],
            }
            deleted = await query("delete_old", chosen)
            made = [(row["thread_id"], row["created_at"]) for row in deleted]
            await _delete_threads(query, connection, made)
        return [(row["tenant_id"], row["run_id"]) for row in deleted]


async def _delete_threads(
    query: Query, connection: AsyncConnection[DictRow], made: Sequence[tuple[UUID, datetime]]
) -> None:
    """Those made at that time, which is that of the run they were made for, on which nothing else has run."""
    values = {"thread_ids": [thread_id for thread_id, _ in made], "made_at": [made_at for _, made_at in made]}
    for row in await query("delete_own_threads", values):
        await Upkeep(connection).delete_thread(str(row["thread_id"]))


async def _gone(query: Query) -> list[UUID]:
    """Runs of the foreground that have lost their process."""
    return [row["run_id"] for row in await query("gone", {})]


def cursor_of(seq: int) -> str:
    """Opaque to clients: what comes before the execution of this number."""
    return urlsafe_b64encode(_CURSOR + seq.to_bytes(8)).rstrip(b"=").decode()


def seq_of(cursor: str) -> int:
    """Raises BadRequest: not one of `cursor_of`."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:  # UnicodeEncodeError and binascii.Error are such
        raw = b""
    seq = int.from_bytes(raw[len(_CURSOR) :])
    # Decoding is lenient; what it makes of another text is not what that text says.
    if not raw.startswith(_CURSOR) or seq >= 2**63 or cursor_of(seq) != cursor:
        raise BadRequest(f"cursor: '{cursor[:50]}' is none; send the next_cursor of the page before, as it was given")
    return seq


def _values(wanted: HistoryFilter) -> dict[str, Any]:
    statuses, waits = runs_of_status(wanted.status)
    return {
        "statuses": statuses,
        "waits": waits,
        "graphs": None if wanted.graphs is None else list(wanted.graphs),
        "of_team": wanted.of_team,
        "team": wanted.team,
        "model": wanted.model,
        "thread_id": wanted.thread_id,
        "crew_id": wanted.crew_id,
        "flow_id": wanted.flow_id,
        "since": _aware(wanted.since),
        "until": _aware(wanted.until),
        "min_score": wanted.min_score,
        "words": None if wanted.words is None else storable_text(wanted.words),
    }


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _execution(row: Mapping[str, Any], gone: Sequence[UUID]) -> Execution:
    named = {name: row[name] for name in Execution.__dataclass_fields__ if name in row}
    settings = row["asked"] or row["context"]
    named |= {
        "figures": row["figures"] or {},
        "settings": settings if isinstance(settings, Mapping) else {},
        "output": orjson.loads(row["output"]) if row.get("output") else _left(row.get("result")),
    }
    found = Execution(**named)
    return replace(found, error=ABANDONED) if found.run_id in gone else found


def _left(result: Any) -> Any:
    """The state that a run of the foreground left, of which its result alone is kept with it."""
    return None if result is None else {"result": result}
