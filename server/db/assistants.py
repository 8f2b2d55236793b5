"""Assistants: a graph with its configuration under an id, every change kept as a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from server.db.assistant_shapes import (
    Assistant,
    AssistantChange,
    AssistantFilter,
    AssistantVersion,
    GraphLabel,
    NewAssistant,
    SortBy,
    changed,
    system_id,
)
from server.db.checkpoints import Pool
from server.db.repository import Repository
from state.errors import BadRequest, Conflict, NotFound

_MAX_VERSION = 2**31 - 1
_MAX_OFFSET = 2**63 - 1


class Assistants(Repository):
    """Assistants of every tenant. Every method raises NoDatabase when Postgres cannot be reached."""

    def __init__(self, pool: Pool, dsn: str, graph_ids: Sequence[str]) -> None:
        """`graph_ids`: the application's graphs, in its order; each is also a name of its system assistant."""
        super().__init__(pool, dsn, "assistants.sql")
        self.graph_ids = tuple(graph_ids)

    async def ensure_system(self, tenant: str, graphs: Sequence[GraphLabel]) -> None:
        """Make the assistants of these graphs that are missing; what a client has changed stays as it is."""
        values = {
            "assistant_ids": [system_id(graph.graph_id) for graph in graphs],
            "graph_ids": [graph.graph_id for graph in graphs],
            "names": [graph.name for graph in graphs],
            "descriptions": [graph.description for graph in graphs],
            "metadata": Jsonb({"created_by": "system"}),
        }
        async with self._transaction(tenant) as query:
            await query("insert_system", values)

    def named(self, text: str) -> UUID | None:
        """The id that `text` means: a graph's name or a UUID. None: neither."""
        if text in self.graph_ids:
            return system_id(text)
        try:
            return UUID(text)
        except ValueError:
            return None

    async def find(self, tenant: str, text: str) -> Assistant | None:
        """The assistant of this id or graph name."""
        assistant_id = self.named(text)
        return None if assistant_id is None else await self.get(tenant, assistant_id)

    async def resolve(self, tenant: str, text: str) -> Assistant:
        """The assistant a run is asked for. Raises BadRequest, NotFound in the reference server's words."""
        if self.named(text) is None:
            known = ", ".join(self.graph_ids)
            raise BadRequest(
                f"Invalid assistant: '{text}'. Must be either:\n- A valid assistant UUID, or\n"
                f"- One of the registered graphs: {known}"
            )
        found = await self.find(tenant, text)
        if found is None:
            raise NotFound("Thread or assistant not found.")
        return found

    def known_graph(self, graph_id: str) -> str:
        """`graph_id`, which the application has. Raises NotFound."""
        if graph_id not in self.graph_ids:
            raise NotFound(f"Graph '{graph_id}' not found. Expected one of: {sorted(self.graph_ids)}")
        return graph_id

    async def create(self, tenant: str, new: NewAssistant, *, keep_existing: bool = False) -> Assistant:
        """Raises Conflict when the id is taken, unless `keep_existing`: then the one that is there is given."""
        async with self._transaction(tenant) as query:
            rows = await query("insert", _insertable(new))
            if rows:
                await query("record_version", {"assistant_id": new.assistant_id})
            elif keep_existing:
                rows = await query("get", {"assistant_id": new.assistant_id})
            if not rows:
                raise Conflict(f"Assistant {new.assistant_id} already exists")
        return _assistant(rows[0])

    async def get(self, tenant: str, assistant_id: UUID) -> Assistant | None:
        """The assistant of this id."""
        rows = await self._ask(tenant, "get", {"assistant_id": assistant_id})
        return _assistant(rows[0]) if rows else None

    async def update(self, tenant: str, assistant_id: UUID, change: AssistantChange) -> Assistant:
        """Make the next version. Raises NotFound."""
        async with self._transaction(tenant) as query:
            rows = await query("lock", {"assistant_id": assistant_id})
            if not rows:
                raise NotFound(f"Assistant {assistant_id} not found")
            rows = await query("update", _insertable(changed(_assistant(rows[0]), change)))
            await query("record_version", {"assistant_id": assistant_id})
        return _assistant(rows[0])

    async def set_latest(self, tenant: str, assistant_id: UUID, version: float | None) -> Assistant:
        """Make an assistant what it was at `version`. Raises NotFound."""
        async with self._transaction(tenant) as query:
            if not await query("lock", {"assistant_id": assistant_id}):
                raise NotFound(f"Assistant {assistant_id} not found")
            rows = []
            if version is not None and 0 < version <= _MAX_VERSION:
                rows = await query("set_latest", {"assistant_id": assistant_id, "version": int(version)})
            if not rows:
                raise NotFound(f"Version {version} not found for assistant {assistant_id}")
        return _assistant(rows[0])

    async def versions(
        self, tenant: str, assistant_id: UUID, metadata: Mapping[str, Any], *, limit: int, offset: int
    ) -> list[AssistantVersion]:
        """Newest first. Raises NotFound where there is none to show, as the reference does."""
        values = {"assistant_id": assistant_id, "metadata": Jsonb(metadata), **_page(limit, offset)}
        async with self._transaction(tenant) as query:
            rows = await query("versions", values)
        if not rows:
            raise NotFound(f"Assistant {assistant_id} not found")
        return [_version(row) for row in rows]

    async def delete(self, tenant: str, assistant_id: UUID) -> None:
        """With its versions and crons; its runs stay. Raises NotFound."""
        async with self._transaction(tenant) as query:
            if not await query("delete", {"assistant_id": assistant_id}):
                raise NotFound(f"Assistant with ID {assistant_id} not found")

    async def threads_of(self, tenant: str, assistant_id: UUID) -> list[UUID]:
        """Threads whose metadata names the assistant, as that of a thread with a run of it does."""
        async with self._transaction(tenant) as query:
            rows = await query("threads_of", {"assistant_id": assistant_id})
        return [row["thread_id"] for row in rows]

    async def search(
        self,
        tenant: str,
        wanted: AssistantFilter,
        *,
        sort_by: SortBy = "created_at",
        descending: bool = True,
        limit: int = 10,
        offset: int = 0,
    ) -> list[Assistant]:
        """Names and graphs are sorted without regard to case."""
        values = {**_filter(wanted), "sort_by": sort_by, "descending": descending, **_page(limit, offset)}
        async with self._transaction(tenant) as query:
            rows = await query("search", values)
        return [_assistant(row) for row in rows]

    async def count(self, tenant: str, wanted: AssistantFilter) -> int:
        """How many `search` would find in all."""
        async with self._transaction(tenant) as query:
            rows = await query("count", _filter(wanted))
        return int(rows[0]["found"])


def _insertable(kept: NewAssistant | Assistant) -> dict[str, Any]:
    return {
        "assistant_id": kept.assistant_id,
        "graph_id": kept.graph_id,
        "name": kept.name,
        "description": kept.description,
        "config": Jsonb(kept.config or {}),
        "context": Jsonb(kept.context or {}),
        "metadata": Jsonb(kept.metadata or {}),
    }


def _filter(wanted: AssistantFilter) -> dict[str, Any]:
    return {"metadata": Jsonb(wanted.metadata), "graph_id": wanted.graph_id, "name": wanted.name}


def _page(limit: int, offset: int) -> dict[str, int]:
    return {"limit": limit, "offset": min(offset, _MAX_OFFSET)}


def _assistant(row: DictRow) -> Assistant:
    return Assistant(**{name: row[name] for name in Assistant.__dataclass_fields__})


def _version(row: DictRow) -> AssistantVersion:
    return AssistantVersion(**{name: row[name] for name in AssistantVersion.__dataclass_fields__})
