"""ModelManager: the door to models in memory. Leases them, loads what is missing, evicts what is idle.

Callers come from any thread and any event loop. What they may have is decided under one short lock; what they must wait
for comes through a `concurrent.futures.Future`, which belongs to no loop. One worker (`worker.py`) does all loads and
unloads in its thread and holds the lock for none of them: a loaded model is leased without waiting for a load.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from llm.cache import Key, ModelCache, Slot
from llm.catalog import Catalog
from llm.codec import Codec
from llm.engine.base import Engine, Room
from llm.leases import Lease, Running, Shared, Ticket
from llm.loading.base import Loaded, Loader
from llm.sizing import human_bytes
from llm.vram import Meter
from llm.worker import LoadWorker
from state.errors import NoMemory, Unavailable
from state.models import Strategy
from state.resources import Reading

MOST_WAITING = 256
"""Callers that may wait for loads; a waiting caller costs a future and, on a server, a connection."""


class ModelManager:
    """See the module. `close` it when done; a lease asked for afterwards is refused."""

    def __init__(
        self,
        catalog: Catalog,
        loader: Loader,
        open_engine: Callable[[Loaded, Room], Engine],
        meter: Meter,
        *,
        budget_bytes: int,
        default_strategy: Strategy = "standard",
        keep_alive: float = 300.0,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        """`budget_bytes`: of weights, all models together. `keep_alive`: seconds idle, 0 none, -1 no end."""
        self._catalog = catalog
        self._loader = loader
        self._meter = meter
        self._default_strategy: Strategy = default_strategy
        self._most_waiting = most_waiting
        self._shared = Shared(ModelCache[Running](budget_bytes, keep_alive=keep_alive))
        self._worker = LoadWorker(self._shared, catalog, loader, open_engine, meter)

    @asynccontextmanager
    async def lease(self, name: str, strategy: Strategy | None = None) -> AsyncIterator[Lease]:
        """Hold a model, loading it first if need be.

        Raises NotFound, BadRequest for unsafe files, NoMemory at once when it can never fit, Unavailable when too many
        wait. Leaving while waiting neither starts nor stops a load that others wait for.
        """
        ticket = self._claim((name, strategy or self._default_strategy))
        try:
            if ticket.slot is None:
                # Sizing reads headers from the disk, which must not hold up the event loop.
                self._line_up(ticket, await asyncio.to_thread(self._size, ticket.key))
            if ticket.slot is None:
                await asyncio.wrap_future(ticket.future)
            yield self._lease_of(ticket)
        finally:
            self._leave(ticket)

    @contextmanager
    def lease_sync(self, name: str, strategy: Strategy | None = None) -> Iterator[Lease]:
        """`lease` for plain threads."""
        ticket = self._claim((name, strategy or self._default_strategy))
        try:
            if ticket.slot is None:
                self._line_up(ticket, self._size(ticket.key))
            if ticket.slot is None:
                ticket.future.result()
            yield self._lease_of(ticket)
        finally:
            self._leave(ticket)

    def load_model(self, name: str, strategy: Strategy | None = None) -> None:
        """Bring a model into memory and leave it there for its keep-alive. Blocks; raises like `lease`."""
        with self.lease_sync(name, strategy):
            pass

    def get_model(self, name: str, strategy: Strategy | None = None) -> Loaded | None:
        """A resident model, to look at; None when it is not in memory. To use one, lease it."""
        with self._shared.changed:
            slot = self._shared.cache.ready((name, strategy or self._default_strategy))
            return slot.value.loaded if slot and slot.value else None

    def unload_model(self, name: str, strategy: Strategy | None = None) -> int:
        """Unload a model in one strategy, or in all; returns how many left. Blocks. Raises Unavailable while leased."""
        self._catalog.card(name)
        with self._shared.changed:
            found = [slot for slot in self._shared.cache if slot.key[0] == name and strategy in (None, slot.key[1])]
            used = next((slot for slot in found if slot.leases), None)
            if used is not None:
                raise Unavailable(f"{name} ({used.key[1]}) answers {used.leases} calls now; unload it afterwards")
            return self._dismiss([slot for slot in found if slot.idle])

    def cleanup_all(self) -> int:
        """Unload every idle model; returns how many left. Blocks."""
        with self._shared.changed:
            return self._dismiss([slot for slot in self._shared.cache if slot.idle])

    def get_memory_stats(self) -> Reading:
        """Memory, residents and waiters now."""
        memory = self._meter.read()
        with self._shared.changed:
            return Reading(
                device=self._meter.device,
                ram_total_bytes=memory.ram_total,
                ram_free_bytes=memory.ram_free,
                vram_total_bytes=memory.vram_total,
                vram_free_bytes=memory.vram_free,
                budget_bytes=self._shared.cache.budget_bytes,
                resident=self._shared.cache.residents(),
                waiting=self._shared.waiting,
            )

    def vram_used_bytes(self) -> int:
        """What is taken of the GPU now, by whomever; 0 without one."""
        memory = self._meter.read()
        return memory.vram_total - memory.vram_free

    def is_loaded(self, name: str, strategy: Strategy) -> bool:
        """Whether a lease would be given at once."""
        with self._shared.changed:
            return self._shared.cache.ready((name, strategy)) is not None

    def codec(self, name: str) -> Codec:
        """The model's tokenizer; needs no weights in memory. Blocks when it is read for the first time."""
        card = self._catalog.card(name)
        with self._shared.changed:
            known = self._shared.codecs.get(name)
        if known is None:
            known = self._loader.codec(card)
            with self._shared.changed:
                self._shared.codecs[name] = known
        return known

    def check_integrity(self) -> None:
        """Raises Broken when bytes were lost or invented."""
        with self._shared.changed:
            self._shared.cache.check_integrity()

    def close(self) -> None:
        """Refuse who waits, end what runs, free the memory, end every thread. Blocks; may be called twice."""
        with self._shared.changed:
            self._shared.closing = True
            self._shared.changed.notify_all()
        self._worker.join()

    # The caller's side: under the lock, never waiting.

    def _claim(self, key: Key) -> Ticket:
        """A ticket, with its lease counted already when the model is in memory. Raises NotFound."""
        self._catalog.card(key[0])
        ticket = Ticket(key, time.monotonic(), wanted=0)
        with self._shared.changed:
            self._take_ready(ticket)
        return ticket

    def _size(self, key: Key) -> int:
        return self._loader.bytes_needed(self._catalog.card(key[0]), key[1])

    def _line_up(self, ticket: Ticket, wanted: int) -> None:
        """Put a ticket into the queue for its load. Raises NoMemory when it can never fit, Unavailable."""
        key, ticket.wanted = ticket.key, wanted
        with self._shared.changed:
            if self._take_ready(ticket):
                return
            if ticket.wanted > self._shared.cache.budget_bytes:
                raise NoMemory(
                    f"{key[0]} ({key[1]}) needs {human_bytes(ticket.wanted)} and can never fit: models may take "
                    f"{human_bytes(self._shared.cache.budget_bytes)} together (LAB_MAX_VRAM_USAGE)"
                )
            if self._shared.waiting >= self._most_waiting:
                raise Unavailable(f"{self._most_waiting} callers already wait for models; ask again later")
            self._shared.pending.setdefault(key, []).append(ticket)
            self._worker.wake()

    def _take_ready(self, ticket: Ticket) -> bool:
        if self._shared.closing:
            raise Unavailable("models are being shut down")
        slot = self._shared.cache.ready(ticket.key)
        if slot is not None:
            self._shared.cache.lease(slot, time.monotonic())
            ticket.slot, ticket.cache_hit = slot, True
        return slot is not None

    def _lease_of(self, ticket: Ticket) -> Lease:
        running = ticket.slot.value if ticket.slot else None
        if running is None:
            raise Unavailable(f"{ticket.key[0]} was unloaded: models are being shut down")
        load_time = 0.0 if ticket.cache_hit else running.load_time_sec
        waited = max(0.0, time.monotonic() - ticket.asked - load_time)
        return Lease(running.loaded, running.engine, ticket.cache_hit, load_time, waited)

    def _leave(self, ticket: Ticket) -> None:
        with self._shared.changed:
            if ticket.slot is not None:
                self._shared.cache.release(ticket.slot, time.monotonic())
                ticket.slot = None
            elif ticket in self._shared.pending.get(ticket.key, ()):
                self._shared.pending[ticket.key].remove(ticket)
                if not self._shared.pending[ticket.key]:
                    del self._shared.pending[ticket.key]
            self._shared.changed.notify_all()

    def _dismiss(self, slots: list[Slot[Running]]) -> int:
        for slot in slots:
            self._shared.cache.start_leaving(slot)
        self._shared.leaving += slots
        self._shared.changed.notify_all()
        self._shared.changed.wait_for(lambda: not any(slot is kept for slot in slots for kept in self._shared.cache))
        return len(slots)
