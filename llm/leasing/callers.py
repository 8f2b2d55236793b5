"""The caller's side of the manager: a ticket is claimed, its files are fetched, it lines up for its load, and leaves.

Nobody waits under the lock: waiting is for futures, which belong to no event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from llm.cache import Key
from llm.catalog import Catalog
from llm.eviction import Need, check_fits, need_of
from llm.leasing.fetching import Fetches
from llm.leasing.leases import Lease, Shared, Ticket
from llm.leasing.line import name_of
from llm.loading.base import Loader
from state.errors import Unavailable
from state.resources import Holder


class Callers:
    """Gives leases as tickets. `wake`: tells the worker of new work, under the lock."""

    def __init__(
        self, shared: Shared, catalog: Catalog, loader: Loader, wake: Callable[[], None], *, most_waiting: int
    ) -> None:
        self._shared = shared
        self._catalog = catalog
        self._loader = loader
        self._wake = wake
        self._most_waiting = most_waiting
        self.fetches = Fetches(loader, most_waiting=most_waiting)

    @asynccontextmanager
    async def hold(self, key: Key, holder: Holder) -> AsyncIterator[Ticket]:
        """A lease of a model, from an event loop. Raises as `ModelManager.lease`."""
        ticket = self._claim(key, holder)
        try:
            if ticket.slot is None:
                # Looking for files and sizing them reads the disk, which must not hold up the event loop.
                if not await asyncio.to_thread(self._is_here, key):
                    with self.fetches.join(self._catalog.card(key[0])) as fetched:
                        await asyncio.wrap_future(fetched)
                self._line_up(ticket, await asyncio.to_thread(self._need, key))
            if ticket.slot is None:
                await asyncio.wrap_future(ticket.future)
            yield ticket
        finally:
            self._leave(ticket)

    @contextmanager
    def hold_sync(self, key: Key, holder: Holder) -> Iterator[Ticket]:
        """`hold` for plain threads."""
        ticket = self._claim(key, holder)
        try:
            if ticket.slot is None:
                if not self._is_here(key):
                    with self.fetches.join(self._catalog.card(key[0])) as fetched:
                        fetched.result()
                self._line_up(ticket, self._need(key))
            if ticket.slot is None:
                ticket.future.result()
            yield ticket
        finally:
            self._leave(ticket)

    def _claim(self, key: Key, holder: Holder) -> Ticket:
        """A ticket, with its lease counted already when the model is in memory. Raises NotFound."""
        self._catalog.card(key[0])
        ticket = Ticket(key, time.monotonic(), holder=holder)
        with self._shared.changed:
            self._take_ready(ticket)
        return ticket

    def _is_here(self, key: Key) -> bool:
        return self._loader.is_here(self._catalog.card(key[0]))

    def _need(self, key: Key) -> Need:
        card = self._catalog.card(key[0])
        weights = self._loader.bytes_needed(card, key[1])
        return need_of(weights, self._loader.kv_bytes_per_token(card), card.context_length)

    def _line_up(self, ticket: Ticket, need: Need) -> None:
        """Put a ticket into the queue for its load. Raises NoMemory when it can never fit, Unavailable."""
        now = time.monotonic()
        ticket.need, ticket.lined_up = need, now
        with self._shared.changed:
            if self._take_ready(ticket):
                return
            cache = self._shared.cache
            pinned = [slot.as_resident(now) for slot in cache if slot.pinned and slot.key != ticket.key]
            check_fits(name_of(ticket.key), need, budget=cache.budget_bytes, pinned=pinned)
            if self._shared.waiting >= self._most_waiting:
                raise Unavailable(f"{self._most_waiting} callers already wait for models; ask again later")
            self._shared.pending.setdefault(ticket.key, []).append(ticket)
            self._wake()

    def _take_ready(self, ticket: Ticket) -> bool:
        if self._shared.closing:
            raise Unavailable("models are being shut down")
        slot = self._shared.available(ticket.key)
        if slot is not None:
            self._shared.lend(slot, ticket, time.monotonic(), cache_hit=True)
            self._shared.counts.hits += 1
        return slot is not None

    def _leave(self, ticket: Ticket) -> None:
        with self._shared.changed:
            if ticket.slot is not None:
                self._shared.give_back(ticket, ticket.slot, time.monotonic())
            else:
                self._shared.drop(ticket)
            self._shared.changed.notify_all()


def lease_of(ticket: Ticket) -> Lease:
    """What a caller sees of its ticket. Raises Unavailable when everything was shut down meanwhile."""
    running = ticket.slot.value if ticket.slot else None
    if running is None:
        raise Unavailable(f"{ticket.key[0]} was unloaded: models are being shut down")
    load_time = 0.0 if ticket.cache_hit else running.load_time_sec
    waited = max(0.0, time.monotonic() - ticket.asked - load_time)
    return Lease(running.loaded, running.engine, ticket.cache_hit, load_time, waited)
