"""When runs were last listened to, as all processes know it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from server.db.checkpoints import Pool
from server.db.repository import Repository


class ListenerRows(Repository):
    """Times are those of Postgres' clock."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "listeners.sql")

    async def hear(self, tenant: str, run_id: UUID) -> datetime | None:
        """Somebody listens to a run at the moment that is returned; None where it has ended. Raises NoDatabase."""
        rows = await self._ask(tenant, "hear", {"run_id": run_id})
        return rows[0]["heard_at"] if rows else None

    async def hear_on(self, tenant: str, run_ids: Sequence[UUID]) -> None:
        """Somebody still listens to these runs. Raises NoDatabase."""
        await self._ask(tenant, "hear_on", {"run_ids": list(run_ids)})

    async def is_unheard(self, tenant: str, run_id: UUID, since: datetime) -> bool:
        """Whether a run goes on though nobody has listened to it after `since`. Raises NoDatabase."""
        return bool(await self._ask(tenant, "unheard", {"run_id": run_id, "since": since}))
