"""Registered agents: who they are, how well they are, and the breaker that all processes share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from nodes.agents.breaker import FAILURES, OPEN_SECONDS, PROBE_SECONDS, decide, resting
from server.db.agent_shapes import (
    REMOTE_CLASSES,
    AgentFilter,
    Looked,
    ToCheck,
    as_registered,
    normal_endpoint,
    record_of,
    row_of,
    rows_of,
)
from server.db.checkpoints import Pool
from server.db.json_values import storable_text
from server.db.repository import Repository
from state.agents import AgentRecord, Breaker, NewAgent, Origin
from state.errors import Conflict

ABSENT = "its class is not in the folder of LAB_AGENTS_DIR any more"
"""The reason for which an agent of the folder is offline."""
MOST_FOUND = 100
"""Agents that are chosen among."""
_ANY_TENANT = ""

log = logging.getLogger(__name__)


class Agents(Repository):
    """Agents of every tenant. Every method raises NoDatabase."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "agents.sql")

    async def register(self, tenant: str, agent: NewAgent) -> bool:
        """A client's agent, new or in the place of the one with its id; whether it is new.

        A key that is not named stays, unless the endpoint is another one now. What was counted stays, too.
        Raises Conflict for the id of an agent that no client registered, BadRequest for what cannot be kept.
        """
        rows = await self._ask(tenant, "register", row_of(agent))
        if not rows:
            raise Conflict(f"agent '{agent.agent_id}' comes with this server; choose another id, or switch it off")
        return bool(rows[0]["created"])

    async def refresh(
        self, tenant: str, agents: Sequence[tuple[NewAgent, Origin]], *, whole_folder: bool = False
    ) -> None:
        """Agents that come with this process: added, or brought up to date; whether they are enabled stays.

        A client's agent of the same id goes before: it is told in the log. `whole_folder`: these are all of the
        folder's; others that came from it are offline.
        """
        by_id = {agent.agent_id: (agent, origin) for agent, origin in agents}
        if not by_id:
            return
        async with self._transaction(tenant) as query:
            await query("refresh", {"agents": Jsonb(rows_of(by_id)), "absent": ABSENT})
            if whole_folder:
                await query("mark_absent", {"agent_ids": list(by_id), "absent": ABSENT})
            for row in await query("taken", {"agent_ids": list(by_id)}):
                log.warning("agent '%s' of this server is hidden by one that a client registered", row["agent_id"])

    async def get(self, tenant: str, agent_id: str) -> AgentRecord | None:
        """With its key."""
        rows = await self._ask(tenant, "get", {"agent_id": storable_text(agent_id)})
        return record_of(rows[0]) if rows else None

    async def search(
        self, tenant: str, wanted: AgentFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[AgentRecord], int]:
        """A page by id, and how many there are in all. Who asks for a capability is told of those that are on."""
        values = {
            "capabilities": [] if wanted.capability is None else [storable_text(wanted.capability)],
            "agent_type": None if wanted.agent_type is None else storable_text(wanted.agent_type),
            "status": "active" if wanted.status is None and wanted.capability is not None else wanted.status,
            "origin": wanted.origin,
        }
        rows = await self._ask(tenant, "search", {**values, "limit": limit, "offset": offset})
        return [record_of(row) for row in rows if row["agent_id"] is not None], rows[0]["total"]

    async def find(self, tenant: str, *, capability: str | None, endpoint: str | None) -> Sequence[AgentRecord]:
        """Enabled ones, the least busy first: calls in flight, then calls so far. MOST_FOUND at most.

        At an endpoint also those that are switched off: whoever asks there must not be led around that.
        """
        values = {
            "capabilities": [] if capability is None else [storable_text(capability)],
            "endpoint": None if endpoint is None else normal_endpoint(endpoint),
            "remote": [*REMOTE_CLASSES],
            "limit": MOST_FOUND,
        }
        return [record_of(row) for row in await self._ask(tenant, "find", values)]

    async def ids(self, tenant: str, limit: int = 1_000) -> Sequence[str]:
        return [row["agent_id"] for row in await self._ask(tenant, "ids", {"limit": limit})]

    async def enabled(self, tenant: str, agent_ids: Sequence[str] | None = None) -> Sequence[str]:
        """Of these, or of all, those that are switched on."""
        rows = await self._ask(tenant, "enabled", {"agent_ids": None if agent_ids is None else [*agent_ids]})
        return [row["agent_id"] for row in rows]

    async def capabilities(self, tenant: str) -> dict[str, Sequence[str]]:
        """Each with the enabled agents that have it."""
        return {row["capability"]: row["agents"] for row in await self._ask(tenant, "capabilities", {})}

    async def types(self, tenant: str) -> dict[str, int]:
        """Each with the number of its agents."""
        return {row["agent_type"]: row["agents"] for row in await self._ask(tenant, "types", {})}

    async def count_by_status(self, tenant: str) -> dict[str, int]:
        """Statuses that nobody has are left out."""
        return {row["status"]: row["agents"] for row in await self._ask(tenant, "count_by_status", {})}

    async def change(
        self, tenant: str, agent_id: str, changed: Callable[[AgentRecord], NewAgent], enabled: bool | None = None
    ) -> bool:
        """Put `changed` of an agent in its place, nobody between, and switch it; whether it is there.

        Raises Conflict where a client's change would be undone at the next start.
        """
        async with self._transaction(tenant) as query:
            rows = await query("lock", {"agent_id": agent_id})
            if not rows:
                return False
            record = record_of(rows[0])
            agent = changed(record)
            if agent != as_registered(record) or "api_key" in agent.model_fields_set:
                if record.origin != "api":
                    raise Conflict(f"agent '{agent_id}' comes with this server; only `enabled` of it can be changed")
                await query("register", row_of(agent))
            if enabled is not None:
                await query("set_enabled", {"agent_id": agent_id, "enabled": enabled})
        return True

    async def delete(self, tenant: str, agent_id: str) -> bool:
        """Whether it went; one that is built in does not."""
        return bool(await self._ask(tenant, "delete", {"agent_id": agent_id}))

    async def set_enabled(self, tenant: str, agent_id: str, enabled: bool) -> bool:
        """Whether it is there. Switched on again, its breaker is closed and its health looked at."""
        return bool(await self._ask(tenant, "set_enabled", {"agent_id": agent_id, "enabled": enabled}))

    async def heartbeat(self, tenant: str, agent_id: str) -> datetime | None:
        """The agent says that it lives; when that was, None where there is no such agent."""
        rows = await self._ask(tenant, "heartbeat", {"agent_id": agent_id})
        return rows[0]["heartbeat_at"] if rows else None

    async def note_silence(self, seconds: float) -> Sequence[str]:
        """Of every tenant: agents without an endpoint whose last heartbeat is older are unhealthy now; which."""
        return [row["agent_id"] for row in await self._ask(_ANY_TENANT, "silence", {"silence_seconds": seconds})]

    async def claim_checks(self, limit: int, seconds: float) -> Sequence[ToCheck]:
        """Of every tenant: whose health is to be looked at now, by the caller alone; again after about `seconds`."""
        rows = await self._ask(_ANY_TENANT, "claim_checks", {"limit": limit, "seconds": seconds})
        return [ToCheck(**row) for row in rows]

    async def record_health(self, agent: ToCheck, looked: Looked) -> None:
        """What a look showed. It says nothing of the breaker, which counts calls."""
        values = {"health": looked.health, "error": looked.error, "seconds": looked.seconds}
        await self._ask(
            agent.tenant_id, "record_health", {"agent_id": agent.agent_id, "endpoint": agent.endpoint, **values}
        )

    async def may_call(self, tenant: str, agent_id: str) -> None:
        """Raises CircuitOpen. Half-open, of all processes' callers one is let through."""
        for last in (False, True):
            rows = await self._ask(tenant, "may_call", {"agent_id": agent_id, "probe_seconds": PROBE_SECONDS})
            if not rows or rows[0]["verdict"] != "open":
                return
            row = rows[0]
            breaker = Breaker(row["failures"], row["open_until"], row["probe_until"])
            # By what was read it might have been tried: another one was first, and may have closed it meanwhile.
            if last or decide(breaker, row["asked_at"]) == "open":
                raise resting(agent_id, breaker, row["asked_at"])

    async def succeeded(self, tenant: str, agent_id: str) -> None:
        await self._ask(tenant, "succeeded", {"agent_id": agent_id})

    async def gave_up(self, tenant: str, agent_id: str) -> None:
        """Whoever tried has learned nothing: somebody else may."""
        await self._ask(tenant, "gave_up", {"agent_id": agent_id})

    async def failed(self, tenant: str, agent_id: str) -> None:
        values = {"agent_id": agent_id, "most": FAILURES, "open_seconds": OPEN_SECONDS}
        await self._ask(tenant, "failed", values)
