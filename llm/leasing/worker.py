"""The thread that loads and unloads models, one at a time: `line.py` decides, under the lock; this acts, outside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from llm.cache import Slot
from llm.catalog import Catalog
from llm.engine.base import Engine, Room
from llm.eviction import make_room, need_of
from llm.failures import broken, forget_frames
from llm.leasing.leases import Running, Shared
from llm.leasing.line import Act, Line, name_of
from llm.leasing.room import SlotRoom
from llm.loading.base import Loaded, Loader
from state.errors import LabError, NoMemory, NotFound, Unavailable

log = logging.getLogger(__name__)


class LoadWorker:
    """Does what the line says until `Shared.closing`; then unloads everything."""

    def __init__(
        self,
        shared: Shared,
        line: Line,
        catalog: Catalog,
        loader: Loader,
        open_engine: Callable[[Loaded, Room], Engine],
        *,
        keep_alive: float,
        hold: float,
    ) -> None:
        """`keep_alive`: of models whose card does not say. `hold`: see `Patience`."""
        self._shared = shared
        self._line = line
        self._catalog = catalog
        self._loader = loader
        self._open_engine = open_engine
        self._keep_alive = keep_alive
        self._hold = hold
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
            act = self._await_act()
            if act is None:
                return
            self._unload(act.leaving)
            if act.key is not None:
                self._load(act)
            del act  # it may hold the slot of a model that is gone

    def _await_act(self) -> Act | None:
        """The next thing to do; None when everything is closed."""
        with self._shared.changed:
            while True:
                now = time.monotonic()
                act = self._decide(now)
                if act is not None or self._shared.closing:
                    return act
                left = self._line.next_look(now) - time.monotonic()
                self._shared.changed.wait(min(max(left, 0.0), threading.TIMEOUT_MAX))

    def _decide(self, now: float) -> Act | None:
        try:
            return self._line.next_act(now)
        # The worker's edge, too: a driver that cannot be asked fails those who wait, and must not end the thread.
        except Exception as error:
            log.exception("the memory could not be read")
            self._shared.refuse(list(self._shared.pending), broken("the memory could not be read", error))
            return None

    def _unload(self, slots: list[Slot[Running]]) -> None:
        if not slots:
            return
        for slot in slots:
            running, slot.value = slot.value, None
            try:
                if running is not None:
                    running.engine.close()
            # The worker's edge: the books are put right whatever an engine's end raises, and the worker lives on.
            except Exception:
                log.exception("closing failed: model=%s strategy=%s", *slot.key)
            del running
            log.info("unloaded: model=%s strategy=%s bytes=%d", *slot.key, slot.total_bytes)
        self._free_memory()
        with self._shared.changed:
            for slot in slots:
                self._shared.cache.remove(slot)
            self._shared.changed.notify_all()

    def _free_memory(self) -> None:
        try:
            self._loader.free()
        # As above: a device that fails here fails again, and with words, at the next load.
        except Exception:
            log.exception("the device's memory could not be given back")

    def _load(self, act: Act) -> None:
        slot = self._reserve(act)
        if slot is None:
            return
        try:
            running = self._open(slot)
        # The worker's edge: whatever a load raises reaches those who wait for it, and the worker lives on.
        except Exception as error:
            self._fail(slot, error)
            return
        with self._shared.changed:
            now = time.monotonic()
            self._shared.counts.loads += 1
            self._shared.counts.load_sec += running.load_time_sec
            self._shared.cache.settle(slot, running, now)
            if self._shared.closing:  # nobody is given a model that is about to leave
                self._shared.refuse([slot.key], Unavailable("models are being shut down"))
            self._shared.grant(slot, now, cache_hit=False)

    def _reserve(self, act: Act) -> Slot[Running] | None:
        """The room that was made, unless everybody who asked has left."""
        with self._shared.changed:
            self._shared.promised_bytes = 0
            if act.key is None or act.need is None or act.key not in self._shared.pending:
                return None
            try:
                card = self._catalog.card(act.key[0])
            except NotFound as error:  # a request took it out of the catalogue meanwhile
                self._shared.refuse([act.key], error)
                return None
            keep_alive = self._keep_alive if card.keep_alive is None else card.keep_alive
            pinned = self._shared.pins.get(act.key, card.pinned)
            return self._shared.cache.reserve(
                act.key, act.need.weights, act.kv_bytes, keep_alive=keep_alive, pinned=pinned
            )

    def _fail(self, slot: Slot[Running], error: Exception) -> None:
        if isinstance(error, LabError):
            log.warning("load failed: model=%s strategy=%s: %s", *slot.key, error)
        else:
            log.exception("load failed: model=%s strategy=%s", *slot.key)
            error = broken(f"loading {name_of(slot.key)} failed", error)
        forget_frames(error)
        if isinstance(error, NoMemory):
            self._free_memory()
        with self._shared.changed:
            self._shared.counts.failures += 1
            self._shared.promised_bytes = 0
            self._shared.cache.remove(slot)
            self._shared.refuse([slot.key], error)

    def _open(self, slot: Slot[Running]) -> Running:
        name, strategy = slot.key
        started = time.monotonic()
        loaded: Loaded | None = None
        try:
            loaded = self._loader.load(self._catalog.card(name), strategy)
        except NoMemory:
            if not self._evict_idle():
                raise
        if loaded is None:
            # Out here the failed attempt's traceback is gone, and with it the weights that it had already read.
            self._free_memory()
            loaded = self._loader.load(self._catalog.card(name), strategy)
        self._fit(slot, loaded)
        engine = self._open_engine(loaded, SlotRoom(self._shared, slot, hold=self._hold))
        seconds = time.monotonic() - started
        log.info("loaded: model=%s strategy=%s bytes=%d seconds=%.2f", name, strategy, slot.total_bytes, seconds)
        return Running(loaded, engine, seconds)

    def _fit(self, slot: Slot[Running], loaded: Loaded) -> None:
        """Put the real sizes into the books, and make idle models leave if they are larger than expected.

        Raises NoMemory when that does not do.
        """
        need = need_of(loaded.size_bytes, loaded.kv_bytes_per_token, loaded.card.context_length)
        with self._shared.changed:
            cache, now = self._shared.cache, time.monotonic()
            cache.resize(slot, need.weights)
            self._shared.codecs[slot.key[0]] = loaded.codec
            marked, self._shared.leaving = self._shared.leaving, []
            # Its own slot counts as in use; what that holds is there for it to take, and what leaves anyway.
            free = cache.free_bytes + slot.total_bytes + sum(other.total_bytes for other in marked)
            try:
                gone, kv_bytes = make_room(cache.residents(now), need, free=free)
            except NoMemory as error:
                self._shared.leaving += marked
                raise NoMemory(f"{name_of(slot.key)} turned out to take {need.weights:,} bytes: {error}") from None
            keys = {(model.name, model.strategy) for model in gone}
            leaving = [other for other in cache if other.key in keys]
            self._shared.evict(leaving)
            self._shared.promised_bytes = max(0, kv_bytes - slot.kv_bytes)
        self._unload([*marked, *leaving])
        with self._shared.changed:
            self._shared.promised_bytes = 0
            slot.kv_floor = kv_bytes
            cache.resize_kv(slot, kv_bytes)

    def _evict_idle(self) -> bool:
        """The device refused: unload all that is not in use or pinned, spared or not."""
        with self._shared.changed:
            idle = [slot for slot in self._shared.cache if slot.idle and not slot.pinned]
            self._shared.evict(idle)
            leaving, self._shared.leaving = self._shared.leaving + idle, []
        self._unload(leaving)
        return bool(leaving)
