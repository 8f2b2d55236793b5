"""What the agents of a crew or a flow share across its runs: values in LangGraph's store, every change kept."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from langgraph.store.base import BaseStore, SearchItem
from pydantic import ValidationError

from nodes.teams.shared import MAX_KEYS, check_key, json_text
from state.errors import BadRequest
from state.shared import GLOBAL, SharedChange

HISTORY = 100
"""Changes of a key that are kept, the newest."""
POLL_SEC = 1.0


class StoredContext:
    """Of one crew or flow, by the eyes of one agent or of a client. Each change is an item of its own, beside the value
    of now: writers do not overwrite each other's history, and of two at once the later write is the value.

    Raises what the store raises; BadRequest for keys and values that cannot be kept.
    """

    def __init__(self, store: BaseStore, definition: tuple[str, str], by: str) -> None:
        """`definition`: `crew` or `flow`, and its id. `by`: an agent's id, or `client`."""
        kind, identity = definition
        self._store, self._by = store, by
        self._root = (f"{kind}s", _label(identity))

    async def get(self, key: str, default: Any = None, *, private: bool = False) -> Any:
        check_key(key)
        item = await self._store.aget(self._place("values", private), key)
        return default if item is None else item.value.get("value", default)

    async def set(self, key: str, value: Any, *, private: bool = False) -> None:
        kept = json.loads(json_text(f"the value of {key!r}", value))
        await self._write(key, private, kept)

    async def delete(self, key: str, *, private: bool = False) -> None:
        await self._write(key, private, deleted=True)

    async def values(self, *, private: bool = False) -> dict[str, Any]:
        items = await self._store.asearch(self._place("values", private), limit=MAX_KEYS)
        return {item.key: item.value.get("value") for item in items}

    async def history(self, key: str, *, private: bool = False) -> list[SharedChange]:
        """The newest changes, oldest first."""
        check_key(key)
        return [change for _, change in await self._changes(key, private)][-HISTORY:]

    async def watch(self, key: str | None = None, *, every_sec: float = POLL_SEC) -> AsyncIterator[SharedChange]:
        """Changes of the global namespace from now on, whoever makes them where; looks every `every_sec`."""
        seen = {item for item, _ in await self._changes(key, private=False)}
        while True:
            found = await self._changes(key, private=False)
            for item, change in found:
                if item not in seen:
                    yield change
            # What has left the history comes no more.
            seen = {item for item, _ in found}
            await asyncio.sleep(every_sec)

    async def _write(self, key: str, private: bool, value: Any = None, *, deleted: bool = False) -> None:
        check_key(key)
        change = SharedChange(
            namespace=self._by if private else GLOBAL,
            key=key,
            value=value,
            deleted=deleted,
            by=self._by,
            at=datetime.now(UTC),
        )
        place = self._place("values", private)
        there = await self._store.aget(place, key) is not None
        if deleted:
            if not there:
                return
            await self._store.adelete(place, key)
        else:
            if not there and await self._store.asearch(place, offset=MAX_KEYS - 1, limit=1):
                raise BadRequest(f"the shared context has {MAX_KEYS:,} keys, which is all it holds; delete some")
            await self._store.aput(place, key, {"value": value}, index=False)
        said = change.model_dump(mode="json")
        await self._store.aput(self._place("changes", private), uuid.uuid4().hex, said, index=False)
        for item, _ in (await self._changes(key, private))[:-HISTORY]:
            await self._store.adelete(self._place("changes", private), item)

    async def _changes(self, key: str | None, private: bool) -> list[tuple[str, SharedChange]]:
        """With the keys of their items, oldest first."""
        place = self._place("changes", private)
        wanted = None if key is None else {"key": key}
        items = await self._store.asearch(place, filter=wanted, limit=2 * HISTORY if wanted else MAX_KEYS)
        found = [(item.key, change) for item in items if (change := _read(item)) is not None]
        return sorted(found, key=lambda each: (each[1].at, each[0]))

    def _place(self, what: str, private: bool) -> tuple[str, ...]:
        # An agent may be called `shared`, too: the two lie at different depths.
        return (*self._root, "agents", _label(self._by), what) if private else (*self._root, "shared", what)


def _read(item: SearchItem) -> SharedChange | None:
    """None for what is no change: others, too, may write into the store."""
    if not isinstance(item.value, Mapping):
        return None
    try:
        return SharedChange.model_validate(item.value)
    except ValidationError:
        return None


def _label(name: str) -> str:
    """LangGraph allows no dot in a namespace's labels."""
    return quote(name, safe="").replace(".", "%2E")
