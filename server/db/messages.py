"""Messages, their queues and subscriptions in Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.notices import MESSAGES
from server.db.repository import Repository
from state.errors import BadRequest, NotFound
from state.messages import AgentMessage

MAX_SUBSCRIPTIONS = 1_000
"""Of one agent."""
DEEPEST = 100
"""Queues that `depths` tells."""

Named = tuple[str, str]
"""Tenant and agent."""
Known = tuple[str, UUID]
"""Tenant and an id of its."""
Request = tuple[str, UUID, str]
"""Tenant, a message, and its sender, who waits for the reply."""


@dataclass(frozen=True)
class Claimed:
    message: AgentMessage
    waited_sec: float
    """Since it was written."""
    more: bool
    """Others wait in the same queue."""


class Writing:
    """The statements of one batch, within its transaction. Not prepared: planned for the arrays at hand."""

    def __init__(self, connection: AsyncConnection[DictRow], queries: Mapping[str, bytes]) -> None:
        self._connection, self._queries = connection, queries

    async def lock(self, queues: Sequence[Named]) -> dict[Named, int]:
        """How many wait in each of these queues, which are this transaction's from now on."""
        if not queues:
            return {}
        async with self._connection.pipeline():
            await self._execute("ensure_queues", _columns(queues))
            cursor = await self._connection.execute(self._queries["lock_queues"], _columns(queues), prepare=False)
        return _depths(await cursor.fetchall())

    async def recount(self, queues: Sequence[Named]) -> dict[Named, int]:
        """The same, counted anew."""
        return _depths(await self._rows("recount", _columns(queues)))

    async def runs(self, run_ids: Sequence[UUID]) -> set[Known]:
        """Those that there are, and that stay until the end of the transaction."""
        return {(row["tenant_id"], row["run_id"]) for row in await self._rows("hold_runs", {"run_ids": run_ids})}

    async def hold(self, answered: Sequence[UUID], changed: Sequence[UUID]) -> set[Request]:
        """Of the answered messages those whose sender waits, which stays so, as do the changed ones, until the end of
        the transaction. To be called before `lock`."""
        if not answered and not changed:
            return set()
        values = {"answered": list(answered), "changed": list(changed)}
        cursor = await self._connection.execute(self._queries["hold_messages"], values, prepare=False)
        return {
            (row["tenant_id"], row["message_id"], row["from_agent"])
            for row in await cursor.fetchall()
            if row["awaited"]
        }

    async def stored(self, message_ids: Sequence[UUID]) -> set[Known]:
        return _ids(await self._rows("stored_messages", {"message_ids": message_ids}))

    async def write(
        self, rows: Sequence[str], released: Sequence[UUID], given_up: Sequence[UUID], notices: Sequence[str]
    ) -> None:
        """Store messages, given as JSON objects; let released ones wait again; end requests; tell other processes."""
        async with self._connection.pipeline():
            if rows:
                await self._execute("store", {"messages": f"[{','.join(rows)}]"})
            if released:
                await self._execute("release", {"message_ids": released})
            if given_up:
                await self._execute("give_up", {"message_ids": given_up})
            if notices:
                await self._execute("notify", {"channel": MESSAGES, "payloads": notices})

    async def _execute(self, name: str, values: Mapping[str, Any]) -> None:
        await self._connection.execute(self._queries[name], values, prepare=False)

    async def _rows(self, name: str, values: Mapping[str, Any]) -> list[DictRow]:
        if not all(values.values()):
            return []
        cursor = await self._connection.execute(self._queries[name], values, prepare=False)
        return await cursor.fetchall()


class Messages(Repository):
    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "messages.sql")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """A transaction for a batch, of any tenants. Raises NoDatabase."""
        with told_as_no_database(self._dsn):
            async with self._pool.connection() as connection, connection.transaction():
                yield Writing(connection, self._queries)

    async def claim(self, tenant: str, agent_id: str, limit: int) -> list[Claimed]:
        """Take the next messages of a queue; they are nobody else's. Raises NoDatabase."""
        rows = await self._ask(tenant, "claim", {"agent_id": agent_id, "limit": limit})
        return [_claimed(row) for row in rows]

    async def claim_reply(self, tenant: str, request_id: UUID) -> list[Claimed]:
        """The reply that is kept for a request, if it is there. Raises NoDatabase."""
        return [_claimed(row) for row in await self._ask(tenant, "claim_reply", {"request_id": request_id})]

    async def waiting(self, queues: Sequence[Named]) -> set[Named]:
        """Of these queues those that hold something. Raises NoDatabase."""
        rows = await self._ask("", "waiting", _columns(queues)) if queues else []
        return {(row["tenant_id"], row["agent_id"]) for row in rows}

    async def answered(self, request_ids: Sequence[UUID]) -> set[Known]:
        """Of these requests those whose reply is there. Raises NoDatabase."""
        rows = await self._ask("", "answered", {"request_ids": request_ids}) if request_ids else []
        return {(row["tenant_id"], row["kept_for"]) for row in rows}

    async def history(self, tenant: str, execution_id: UUID, limit: int) -> list[AgentMessage]:
        """The newest messages of an execution, oldest first. Raises NotFound, NoDatabase."""
        values = {"execution_id": execution_id, "limit": limit}
        rows = await self._ask(tenant, "history", values)
        if not rows and not await self._ask(tenant, "has_run", values):
            raise NotFound(f"no execution {execution_id}")
        return [AgentMessage(**row) for row in rows]

    async def subscribe(self, tenant: str, agent_id: str, topic: str | None, content: str | None) -> None:
        """`content` as JSON. Raises BadRequest when the agent has too many, NoDatabase."""
        read = None if content is None else Jsonb(json.loads(content))
        values = {"agent_id": agent_id, "topic": topic, "content": read}
        async with self._transaction(tenant) as query:
            (found,) = await query("count_subscriptions", values)
            if found["count"] >= MAX_SUBSCRIPTIONS:
                raise BadRequest(f"agent {agent_id} has {found['count']:,} subscriptions; unsubscribe from some first")
            await query("subscribe", values)

    async def unsubscribe(self, tenant: str, agent_id: str, topic: str | None) -> int:
        """From a topic, or from all. Raises NoDatabase."""
        return len(await self._ask(tenant, "unsubscribe", {"agent_id": agent_id, "topic": topic}))

    async def subscribers(self, tenant: str, message: AgentMessage, payload: str) -> list[str]:
        """Agents that are to hear of a message; `payload` is its JSON. Raises NoDatabase."""
        values = {"from_agent": message.from_agent, "topic": message.topic, "payload": payload}
        return [row["agent_id"] for row in await self._ask(tenant, "subscribers", values)]

    async def everybody(self, tenant: str, sender: str) -> list[str]:
        """Registered agents in service but the sender. Raises NoDatabase."""
        return [row["agent_id"] for row in await self._ask(tenant, "everybody", {"from_agent": sender})]

    async def depths(self, tenant: str) -> dict[str, int]:
        """How many messages wait for whom: the longest queues. Raises NoDatabase."""
        return {row["agent_id"]: row["depth"] for row in await self._ask(tenant, "depths", {"limit": DEEPEST})}

    async def sweep(self, days: float, limit: int) -> tuple[int, list[Named]]:
        """Delete old messages of every tenant; how many, and the queues that some waited in. Raises NoDatabase."""
        rows = await self._ask("", "sweep", {"days": days, "limit": limit})
        return sum(row["count"] for row in rows), [(row["tenant_id"], row["agent_id"]) for row in rows if row["waited"]]

    async def recount(self, queues: Sequence[Named]) -> None:
        """Set the depths of these queues to what waits in them. Raises NoDatabase."""
        async with self.writing() as writing:
            await writing.lock(queues)
            await writing.recount(queues)


def _columns(queues: Sequence[Named]) -> dict[str, list[str]]:
    return {"tenants": [tenant for tenant, _ in queues], "agents": [agent for _, agent in queues]}


def _depths(rows: Sequence[DictRow]) -> dict[Named, int]:
    return {(row["tenant_id"], row["agent_id"]): row["depth"] for row in rows}


def _ids(rows: Sequence[DictRow]) -> set[Known]:
    return {(row["tenant_id"], row["message_id"]) for row in rows}


def _claimed(row: DictRow) -> Claimed:
    waited, more = row.pop("waited"), row.pop("more")
    return Claimed(AgentMessage(**row), waited, more)
