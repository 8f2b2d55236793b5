"""An agent's memory: a namespace of its own in LangGraph's store, which outlives runs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.store.base import BaseStore
from pydantic import BaseModel, ConfigDict, ValidationError

from nodes.agents.plain import plain_json, plain_text
from nodes.memory import storable

AGENTS = "agents"
EXCHANGES = "exchanges"
KEPT = 20
"""Exchanges of an agent that are kept, the newest."""

Namespace = tuple[str, ...]


def memory_of(agent_id: str) -> Namespace:
    """The agent's namespace; LangGraph allows no dot in a label, and no agent's id holds a `%`."""
    return (AGENTS, agent_id.replace(".", "%2E"))


class Exchange(BaseModel):
    """What an agent was once asked, and what it answered."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request: str
    answer: str
    at: str
    """ISO 8601, UTC."""


async def exchanges_of(store: BaseStore, agent_id: str, most: int, *, but: str = "") -> list[Exchange]:
    """The agent's last `most` exchanges, oldest first. `but`: the key of one that is left out."""
    found = [exchange for key, exchange in await _all(store, agent_id) if key != but]
    return found[-most:] if most > 0 else []


async def keep_exchange(store: BaseStore, agent_id: str, key: str, exchange: Exchange) -> None:
    """Keep one, under a key that a repeated step gives again; the oldest beyond `KEPT` leave."""
    value = exchange.model_copy(
        update={"request": storable(exchange.request), "answer": storable(exchange.answer)}
    ).model_dump()
    await store.aput((*memory_of(agent_id), EXCHANGES), key, value, index=False)
    for old, _ in (await _all(store, agent_id))[:-KEPT]:
        await store.adelete((*memory_of(agent_id), EXCHANGES), old)


async def _all(store: BaseStore, agent_id: str) -> list[tuple[str, Exchange]]:
    """Oldest first. Several processes may each have added one before the oldest left: a few more than are kept."""
    items = await store.asearch((*memory_of(agent_id), EXCHANGES), limit=5 * KEPT)
    found = []
    for item in items:
        try:
            found.append((item.key, Exchange.model_validate(item.value)))
        except ValidationError:  # others, too, may write into the store
            continue
    return sorted(found, key=lambda each: (each[1].at, each[0]))


class AgentMemory:
    """What an agent keeps for itself from run to run: plain JSON by key."""

    def __init__(self, store: BaseStore, agent_id: str) -> None:
        self._store = store
        self._namespace = (*memory_of(agent_id), "notes")

    async def get(self, key: str, default: Any = None) -> Any:
        """What was put under the key."""
        item = await self._store.aget(self._namespace, key)
        return default if item is None else item.value.get("value", default)

    async def put(self, key: str | None, value: Any) -> str:
        """Keep a value, in place of what the key held; None: under a key of its own. Returns the key.

        Raises AgentFailed for what is no plain JSON.
        """
        key = plain_text(key) if key else uuid.uuid4().hex
        await self._store.aput(self._namespace, key, {"value": plain_json(value, "the note")})
        return key

    async def delete(self, key: str) -> None:
        """Forget it; nothing happens where there is none."""
        await self._store.adelete(self._namespace, key)

    async def search(self, query: str | None = None, *, limit: int = 10) -> Sequence[tuple[str, Any]]:
        """Keys and values, the nearest to `query` first where the store has vectors, else in the store's order."""
        items = await self._store.asearch(self._namespace, query=query, limit=limit)
        return [(item.key, item.value.get("value")) for item in items if isinstance(item.value, Mapping)]
