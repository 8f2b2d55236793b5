"""The thread that loads and unloads models, one after the other. Decides under the lock, acts outside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from llm.cache import Key, Slot
from llm.catalog import Catalog
from llm.engine.base import Engine, FixedRoom, Room
from llm.eviction import to_evict
from llm.failures import broken, forget_frames
from llm.leases import Running, Shared
from llm.loading.base import Loaded, Loader
from llm.vram import Meter
from state.errors import LabError, NoMemory, Unavailable

log = logging.getLogger(__name__)


class LoadWorker:
    """Serves `Shared.pending`, `Shared.leaving` and the keep-alives until `Shared.closing`; then unloads everything."""

    def __init__(
        self,
        shared: Shared,
        catalog: Catalog,
        loader: Loader,
        open_engine: Callable[[Loaded, Room], Engine],
        meter: Meter,
    ) -> None:
        self._shared = shared
        self._catalog = catalog
        self._loader = loader
        self._open_engine = open_engine
        self._meter = meter
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Tell it of new work, starting its thread at the first time. The caller holds the lock."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="model-loader", daemon=True)
            self._thread.start()
        self._shared.changed.notify_all()

    def join(self) -> None:
        """Wait for its end, which `Shared.closing` brings about."""
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._shared.changed:
                while (act := self._decide()) is None:
                    if self._shared.closing:
                        return
                    left = self._shared.cache.next_deadline() - time.monotonic()
                    self._shared.changed.wait(min(max(left, 0.0), threading.TIMEOUT_MAX))
            act()
            del act  # it may hold the slot of a model that is gone

    def _decide(self) -> Callable[[], None] | None:
        try:
            return self._next_act()
        # The worker's edge, too: a driver that cannot be asked fails those who wait, and must not end the thread.
        except Exception as error:
            log.exception("the memory could not be read")
            self._refuse(list(self._shared.pending), broken("the memory could not be read", error))
            return None

    def _next_act(self) -> Callable[[], None] | None:
        """What to do next, if anything: unload what must leave, else load for the first who can be served."""
        if self._shared.closing:
            self._refuse(list(self._shared.pending), Unavailable("models are being shut down"))
            everything = list(self._shared.cache)
            return (lambda: self._unload(everything)) if everything else None
        leaving, self._shared.leaving = self._shared.leaving, []
        for slot in self._shared.cache.expired(time.monotonic()):
            self._shared.cache.start_leaving(slot)
            leaving.append(slot)
        if leaving:
            return lambda: self._unload(leaving)
        while self._shared.pending:
            key, tickets = next(iter(self._shared.pending.items()))
            act = self._make_room(key, tickets[0].wanted)
            if act is not None:
                return act
            if key in self._shared.pending:  # not refused: it waits for somebody's release
                return self._overtake()
        return None

    def _overtake(self) -> Callable[[], None] | None:
        """A load for someone behind the first in line, if it fits into what is free already.

        So a small model does not wait behind a large one; and since only the first in line makes others leave, the
        large one is the first to get what is released.
        """
        free = self._free()
        for key, tickets in self._shared.pending.items():
            wanted = tickets[0].wanted
            if wanted <= free:
                return lambda: self._load(key, wanted)
        return None

    def _free(self) -> int:
        return min(self._shared.cache.free_bytes, self._meter.read().free)

    def _make_room(self, key: Key, wanted: int) -> Callable[[], None] | None:
        try:
            leaving = self._pick(wanted, self._free())
        except NoMemory as error:
            if any(slot.leases for slot in self._shared.cache):
                return None  # somebody's release may change that
            self._refuse([key], NoMemory(f"{key[0]} ({key[1]}) {error}"))
            return None

        def act() -> None:
            self._unload(leaving)
            self._load(key, wanted)

        return act

    def _pick(self, wanted: int, free: int) -> list[Slot[Running]]:
        """Slots that leave for `wanted` bytes, marked so. Raises NoMemory."""
        chosen = {
            (gone.name, gone.strategy) for gone in to_evict(self._shared.cache.residents(), wanted=wanted, free=free)
        }
        leaving = [slot for slot in self._shared.cache if slot.key in chosen]
        for slot in leaving:
            self._shared.cache.start_leaving(slot)
        return leaving

    def _refuse(self, keys: list[Key], error: Exception) -> None:
        for key in keys:
            for ticket in self._shared.pending.pop(key, []):
                if ticket.future.set_running_or_notify_cancel():
                    ticket.future.set_exception(error)
        self._shared.changed.notify_all()

    def _unload(self, slots: list[Slot[Running]]) -> None:
        for slot in slots:
            if slot.value is not None:
                slot.value.engine.close()
            slot.value = None
            log.info("unloaded: model=%s strategy=%s bytes=%d", *slot.key, slot.size_bytes)
        if slots:
            self._loader.free()
        with self._shared.changed:
            for slot in slots:
                self._shared.cache.remove(slot)
            self._shared.changed.notify_all()

    def _load(self, key: Key, wanted: int) -> None:
        with self._shared.changed:
            if key not in self._shared.pending:  # everybody who asked has left
                return
            slot = self._shared.cache.reserve(key, wanted)
        try:
            running = self._open(slot)
        # The worker's edge: whatever a load raises reaches those who wait for it, and the worker lives on.
        except Exception as error:
            self._fail(slot, error)
            return
        with self._shared.changed:
            now = time.monotonic()
            self._shared.cache.settle(slot, running, now)
            granted = [t for t in self._shared.pending.pop(key, []) if t.future.set_running_or_notify_cancel()]
            for ticket in granted:
                # Counted in the moment the model can first be leased, so that nothing evicts it before its first use.
                self._shared.cache.lease(slot, now)
                ticket.slot = slot
            self._shared.changed.notify_all()
        for ticket in granted:
            ticket.future.set_result(None)

    def _fail(self, slot: Slot[Running], error: Exception) -> None:
        if isinstance(error, LabError):
            log.warning("load failed: model=%s strategy=%s: %s", *slot.key, error)
        else:
            log.exception("load failed: model=%s strategy=%s", *slot.key)
            error = broken(f"loading {slot.key[0]} ({slot.key[1]}) failed", error)
        forget_frames(error)
        if isinstance(error, NoMemory):
            self._loader.free()
        with self._shared.changed:
            self._shared.cache.remove(slot)
            self._refuse([slot.key], error)

    def _open(self, slot: Slot[Running]) -> Running:
        name, strategy = slot.key
        started = time.monotonic()
        card = self._catalog.card(name)
        loaded: Loaded | None = None
        try:
            loaded = self._loader.load(card, strategy)
        except NoMemory:
            if not self._evict_idle():
                raise
        if loaded is None:
            # Out here the failed attempt's traceback is gone, and with it the weights that it had already read.
            self._loader.free()
            loaded = self._loader.load(card, strategy)
        with self._shared.changed:
            self._shared.cache.resize(slot, loaded.size_bytes)
            leaving = self._pick(0, self._shared.cache.free_bytes)  # raises NoMemory when it turned out too large
            self._shared.codecs[name] = loaded.codec
        self._unload(leaving)
        engine = self._open_engine(loaded, FixedRoom(self._shared.cache.budget_bytes))
        seconds = time.monotonic() - started
        log.info("loaded: model=%s strategy=%s bytes=%d seconds=%.2f", name, strategy, loaded.size_bytes, seconds)
        return Running(loaded, engine, seconds)

    def _evict_idle(self) -> bool:
        with self._shared.changed:
            idle = [slot for slot in self._shared.cache if slot.idle]
            for slot in idle:
                self._shared.cache.start_leaving(slot)
        self._unload(idle)
        return bool(idle)
