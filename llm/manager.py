"""ModelManager: the door to models in memory. Leases them, loads what is missing, evicts what is idle.

Callers come from any thread and any event loop. What they may have is decided under one short lock; what they must wait
for comes through a `concurrent.futures.Future`, which belongs to no loop. One worker (`worker.py`) does all loads and
unloads in its thread and holds the lock for none of them: a loaded model is leased without waiting for a load.
Downloads (`fetching.py`) come before the line for loads and hold up nobody in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from llm.cache import Key, ModelCache, Slot
from llm.catalog import Catalog
from llm.codec import Codec
from llm.engine.base import Engine, Room
from llm.leasing.callers import Callers, lease_of
from llm.leasing.holders import SOMEBODY, Cached, Cleared, name_holders
from llm.leasing.leases import Lease, Running, Shared
from llm.leasing.line import Line, Patience
from llm.leasing.worker import LoadWorker
from llm.loading.base import Loaded, Loader
from llm.vram import Memory, Meter
from state.errors import InUse
from state.models import Strategy
from state.resources import Device, Holder, Reading

MOST_WAITING = 256
"""Callers that may wait for loads; a waiting caller costs a future and, on a server, a connection."""

LOADING = Holder("an order to load it")
"""Holds a model for a moment, so that it cannot leave before it has its pin or its keep-alive."""


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
        patience: Patience | None = None,
    ) -> None:
        """`budget_bytes`: of weights and KV, all models together.

        `keep_alive`: seconds idle, 0 none, -1 no end, for models whose card does not say.
        """
        self._catalog = catalog
        self._loader = loader
        self._meter = meter
        self._default_strategy: Strategy = default_strategy
        patience = patience or Patience()
        self._shared = Shared(ModelCache[Running](budget_bytes))
        line = Line(self._shared, meter, patience)
        self._worker = LoadWorker(
            self._shared, line, catalog, loader, open_engine, keep_alive=keep_alive, hold=patience.hold
        )
        self._callers = Callers(self._shared, catalog, loader, self._worker.wake, most_waiting=most_waiting)

    @asynccontextmanager
    async def lease(
        self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY
    ) -> AsyncIterator[Lease]:
        """Hold a model, fetching and loading it first if need be. `holder`: who does, for `cached` and refusals.

        Raises NotFound, BadRequest for unsafe files, NoMemory at once when it can never fit, Unavailable when too many
        wait, TimedOut when no room was made within `Patience.most`. Leaving while waiting neither starts nor stops a
        load or a download that others wait for.
        """
        async with self._callers.hold(self._key(name, strategy), holder) as ticket:
            yield lease_of(ticket)

    @contextmanager
    def lease_sync(self, name: str, strategy: Strategy | None = None, *, holder: Holder = SOMEBODY) -> Iterator[Lease]:
        """`lease` for plain threads."""
        with self._callers.hold_sync(self._key(name, strategy), holder) as ticket:
            yield lease_of(ticket)

    def load_model(self, name: str, strategy: Strategy | None = None, keep_alive: float | None = None) -> None:
        """Bring a model into memory and leave it there for its keep-alive. Blocks; raises like `lease`.

        `keep_alive`: seconds idle, 0 none, -1 no end, until it leaves; None: its card's, or the default.
        """
        with self._callers.hold_sync(self._key(name, strategy), LOADING) as ticket, self._shared.changed:
            if keep_alive is not None and ticket.slot is not None:
                ticket.slot.keep_alive = math.inf if keep_alive < 0 else keep_alive

    def get_model(self, name: str, strategy: Strategy | None = None) -> Loaded | None:
        """A resident model, to look at; None when it is not in memory. To use one, lease it."""
        with self._shared.changed:
            slot = self._shared.cache.ready(self._key(name, strategy))
            return slot.value.loaded if slot and slot.value else None

    def pin(self, name: str, strategy: Strategy | None = None) -> None:
        """Load a model and keep it, whoever needs the room. Blocks; raises like `lease`."""
        key = self._key(name, strategy)
        with self._callers.hold_sync(key, LOADING), self._shared.changed:
            self._set_pin(key, pinned=True)

    def unpin(self, name: str, strategy: Strategy | None = None) -> None:
        """Let a model leave again after its keep-alive or for others, whatever its card says."""
        self._catalog.card(name)
        with self._shared.changed:
            self._set_pin(self._key(name, strategy), pinned=False)

    def unload_model(self, name: str, strategy: Strategy | None = None) -> int:
        """Unload a model in one strategy, or in all, pinned or not; returns how many left.

        A pin is taken away with it, one of its card excepted: that holds again after the next load. Blocks. Raises
        NotFound, and InUse, with its holders, while leased.
        """
        return len(self.unload(name, strategy))

    def unload(self, name: str, strategy: Strategy | None = None) -> tuple[Cached, ...]:
        """`unload_model`, telling what left."""
        self._catalog.card(name)
        with self._shared.changed:
            found = [slot for slot in self._shared.cache if slot.key[0] == name and strategy in (None, slot.key[1])]
            now = time.monotonic()
            used = next((slot for slot in found if slot.leases), None)
            if used is not None:
                raise _in_use(self._shared.cached(used, now))
            for slot in found:
                self._shared.pins.pop(slot.key, None)
            gone = tuple(self._shared.cached(slot, now) for slot in found if slot.idle)
            self._dismiss([slot for slot in found if slot.idle])
            return gone

    def forget(self, name: str) -> None:
        """Have a model that left the catalogue leave the memory, too: now, or after the calls it answers. Blocks."""
        with self._shared.changed:
            self._shared.codecs.pop(name, None)
            for key in [key for key in self._shared.pins if key[0] == name]:
                del self._shared.pins[key]
            found = [slot for slot in self._shared.cache if slot.key[0] == name]
            for slot in found:
                slot.pinned, slot.keep_alive = False, 0.0
            self._dismiss([slot for slot in found if slot.idle])

    def cleanup_all(self) -> int:
        """Unload every idle model but the pinned ones; returns how many left. Blocks."""
        return len(self.clear().gone)

    def clear(self) -> Cleared:
        """`cleanup_all`, telling what left and what stayed."""
        with self._shared.changed:
            now = time.monotonic()
            idle = [slot for slot in self._shared.cache if slot.idle and not slot.pinned]
            gone = tuple(self._shared.cached(slot, now) for slot in idle)
            others = [self._shared.cached(slot, now) for slot in self._shared.cache if slot not in idle]
            self._dismiss(idle)
        return Cleared(gone, tuple(one for one in others if one.stays is not None))

    def cached(self) -> tuple[Cached, ...]:
        """What is in memory, or on its way in or out, and who uses it."""
        with self._shared.changed:
            now = time.monotonic()
            return tuple(self._shared.cached(slot, now) for slot in self._shared.cache)

    def get_memory_stats(self) -> Reading:
        """Memory, residents, waiters and counts now."""
        memory = self._meter.read()
        fetching = self._callers.fetches.waiting
        with self._shared.changed:
            counts = self._shared.counts
            return Reading(
                device=self._meter.device,
                ram_total_bytes=memory.ram_total,
                ram_free_bytes=memory.ram_free,
                vram_total_bytes=memory.vram_total,
                vram_free_bytes=memory.vram_free,
                budget_bytes=self._shared.cache.budget_bytes,
                resident=self._shared.cache.residents(time.monotonic()),
                waiting=self._shared.waiting + fetching,
                hits=counts.hits,
                loads=counts.loads,
                load_sec=counts.load_sec,
                evictions=counts.evictions,
                failures=counts.failures,
            )

    @property
    def device(self) -> Device:
        """Where models live."""
        return self._meter.device

    def read_memory(self) -> Memory:
        """Of the computer and of each GPU; asks a driver only where there is one."""
        return self._meter.read()

    def vram_used_bytes(self) -> int:
        """What is taken of the GPU now, by whomever; 0 without one."""
        if self._meter.device != "cuda":
            return 0  # asking the operating system would cost every call a tenth of a millisecond
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
        self._callers.fetches.close()
        self._worker.join()

    def _key(self, name: str, strategy: Strategy | None) -> Key:
        return name, strategy or self._default_strategy

    def _set_pin(self, key: Key, *, pinned: bool) -> None:
        self._shared.pins[key] = pinned
        for slot in self._shared.cache:
            if slot.key == key:
                slot.pinned = pinned
        self._shared.changed.notify_all()

    def _dismiss(self, slots: list[Slot[Running]]) -> int:
        for slot in slots:
            self._shared.cache.start_leaving(slot)
        self._shared.leaving += slots
        self._shared.changed.notify_all()
        self._shared.changed.wait_for(lambda: not any(slot in self._shared.cache for slot in slots))
        return len(slots)


def _in_use(used: Cached) -> InUse:
    model = used.resident
    return InUse(
        f"{model.name} ({model.strategy}) answers {len(used.held)} calls now, of {name_holders(used.held)}; "
        "unload it afterwards",
        used.held,
    )
