"""How many steps of one run may be at work at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID


@dataclass
class _Room:
    places: asyncio.Semaphore
    users: int = 0


class Places:
    """So many places in each run; whoever finds none waits, in the order of coming."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rooms: dict[UUID | None, _Room] = {}

    @asynccontextmanager
    async def taken(self, run_id: UUID | None) -> AsyncIterator[None]:
        """Hold a place while open. Runs without an id share theirs."""
        room = self._rooms.setdefault(run_id, _Room(asyncio.Semaphore(self._most)))
        room.users += 1
        try:
            async with room.places:
                yield
        finally:
            room.users -= 1
            if not room.users:
                del self._rooms[run_id]
