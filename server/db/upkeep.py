"""Deleting, copying and measuring a thread's checkpoints, over the connection of somebody's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.pruning import Blob, Pruned, Saved, pruned_of_runs, pruned_to_latest
from server.db.sql import FOLDER, read_queries

QUERIES = read_queries(FOLDER / "checkpoints.sql")


class Upkeep:
    """Threads are named by id alone, as LangGraph's tables know them: whose they are is the caller's to ask."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    async def delete_thread(self, thread_id: str, *, dry_run: bool = False) -> int:
        """Delete everything of a thread; returns how many checkpoints it had."""
        (found,) = await self._query("count_checkpoints", thread_id=thread_id)
        if not dry_run:
            await self._query("delete_thread", thread_id=thread_id)
        return int(found["count"])

    async def keep_latest(self, thread_id: str, *, dry_run: bool = False) -> int:
        """Delete all but the newest state of a thread; returns how many checkpoints go."""
        pruned = pruned_to_latest(*await self._read(thread_id))
        if not dry_run:
            await self._apply(thread_id, pruned)
        return len(pruned.checkpoints)

    async def forget_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what runs made, and put pending writes back as they were before them."""
        if not run_ids:
            return
        known = _uuids(run_ids)
        rows = await self._query("threads_of_runs", run_ids=known)
        threads = {row["thread_id"] for row in rows}
        if {row["run_id"] for row in rows} != set(run_ids):
            threads |= {row["thread_id"] for row in await self._query("threads_holding_runs", run_ids=list(run_ids))}
        for thread_id in sorted(threads):
            pruned = pruned_of_runs(*await self._read(thread_id), run_ids)
            await self._apply(thread_id, pruned)
            await self._restore(thread_id, known, pruned)

    async def copy_thread(self, source: str, target: str) -> None:
        for name in ("copy_checkpoints", "copy_blobs", "copy_writes"):
            await self._query(name, source=source, target=target)

    async def storage(self, thread_id: str) -> Mapping[str, Any]:
        """Bytes of values are those of the stored form, of checkpoints those of their JSON."""
        (checkpoints,) = await self._query("size_of_checkpoints", thread_id=thread_id)
        (writes,) = await self._query("size_of_writes", thread_id=thread_id)
        channels = await self._query("size_of_channels", thread_id=thread_id)
        by_channel = {row["channel"]: {"versions": row["versions"], "bytes": row["bytes"]} for row in channels}
        values = {
            "count": sum(one["versions"] for one in by_channel.values()),
            "bytes": sum(one["bytes"] for one in by_channel.values()),
            "by_channel": by_channel,
        }
        return {
            "thread_id": thread_id,
            "total_bytes": checkpoints["bytes"] + values["bytes"] + writes["bytes"],
            "checkpoints": dict(checkpoints),
            "channel_values": values,
            "pending_writes": dict(writes),
        }

    async def _read(self, thread_id: str) -> tuple[list[Saved], set[Blob]]:
        saved = [Saved(**row) for row in await self._query("saved", thread_id=thread_id)]
        stored = await self._query("stored", thread_id=thread_id)
        return saved, {(row["namespace"], row["channel"], row["version"]) for row in stored}

    async def _apply(self, thread_id: str, pruned: Pruned) -> None:
        namespaces, ids = _columns(pruned.checkpoints, 2)
        for name in ("delete_writes", "delete_checkpoints"):
            await self._query(name, thread_id=thread_id, namespaces=namespaces, ids=ids)
        namespaces, channels, versions = _columns(pruned.blobs, 3)
        await self._query(
            "delete_blobs", thread_id=thread_id, namespaces=namespaces, channels=channels, versions=versions
        )
        namespaces, ids = _columns(pruned.adopted, 2)
        parents = list(pruned.adopted.values())
        await self._query("adopt", thread_id=thread_id, namespaces=namespaces, ids=ids, parents=parents)

    async def _restore(self, thread_id: str, run_ids: list[UUID], pruned: Pruned) -> None:
        """The oldest memory of a checkpoint is put back last, so it is what stays."""
        remembered = await self._query("remembered", thread_id=thread_id, run_ids=run_ids)
        for row in sorted(remembered, key=lambda row: row["seq"], reverse=True):
            namespace, checkpoint_id = row["namespace"], row["checkpoint_id"]
            if (namespace, checkpoint_id) in pruned.checkpoints:
                continue
            await self._query("delete_writes", thread_id=thread_id, namespaces=[namespace], ids=[checkpoint_id])
            await self._query("restore_writes", writes=row["writes"])

    async def _query(self, name: str, **values: Any) -> list[DictRow]:
        # Not prepared: planned for the arrays at hand, which hold one id or many thousands.
        cursor = await self._connection.execute(QUERIES[name], values, prepare=False)
        return await cursor.fetchall() if cursor.description else []


def _columns(rows: Iterable[Sequence[str]], width: int) -> list[list[str]]:
    listed = list(rows)
    return [[row[index] for row in listed] for index in range(width)]


def _uuids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
