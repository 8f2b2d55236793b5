"""Rows of webhook_deliveries: claimed, put off, deleted. They are written with the outcome of their run."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from server.db.checkpoints import Pool
from server.db.repository import Repository

_ANY_TENANT = ""


@dataclass(frozen=True)
class Delivery:
    """One call to make; `attempt` counts from 1."""

    delivery_id: int
    tenant_id: str
    run_id: UUID
    url: str
    body: str
    attempt: int


class WebhookRows(Repository):
    """Use with `WebhookSender`."""

    def __init__(self, pool: Pool, dsn: str) -> None:
        super().__init__(pool, dsn, "webhooks.sql")

    async def claim(self, limit: int, hold_seconds: float) -> list[Delivery]:
        """What is due now, of every tenant; hidden from other processes for `hold_seconds`. Raises NoDatabase."""
        async with self._transaction(_ANY_TENANT) as query:
            rows = await query("claim", {"limit": limit, "hold_seconds": hold_seconds})
        return [Delivery(**row) for row in rows]

    async def delete(self, delivery: Delivery) -> None:
        async with self._transaction(delivery.tenant_id) as query:
            await query("delete", {"delivery_id": delivery.delivery_id})

    async def postpone(self, delivery: Delivery, seconds: float) -> None:
        async with self._transaction(delivery.tenant_id) as query:
            await query("postpone", {"delivery_id": delivery.delivery_id, "seconds": seconds})
