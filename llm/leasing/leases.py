"""What the manager's callers and its worker hand to each other: tickets, leases, and the state under the one lock."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from llm.cache import Key, ModelCache, Phase, Slot
from llm.codec import Codec
from llm.engine.base import Engine
from llm.eviction import Need
from llm.leasing.holders import SOMEBODY, Cached
from llm.loading.base import Loaded
from state.resources import Held, Holder


@dataclass(frozen=True)
class Running:
    """A loaded model and the engine that runs it."""

    loaded: Loaded
    engine: Engine
    load_time_sec: float


@dataclass(frozen=True)
class Lease:
    """A model that will not leave while this is held. Keep nothing of it afterwards: it would hold the memory."""

    loaded: Loaded
    engine: Engine
    cache_hit: bool
    load_time_sec: float
    """Seconds the load took that this caller waited for; 0 on a hit."""
    wait_sec: float
    """Seconds this caller waited besides: for a download, for room, or for other loads."""


@dataclass(eq=False)
class Ticket:
    """A caller's claim. `slot` is set, under the manager's lock, in the moment its lease is counted."""

    key: Key
    asked: float
    """When, `lined_up` when it entered the queue for its load, `held` since when: seconds of the monotonic clock."""
    lined_up: float = 0.0
    held: float = 0.0
    holder: Holder = SOMEBODY
    need: Need = field(default_factory=lambda: Need(0))
    future: Future[None] = field(default_factory=Future)
    slot: Slot[Running] | None = None
    cache_hit: bool = False


@dataclass(frozen=True)
class Turn:
    """The first in line has waited long enough: who stands in its way is not leased anew until it was served."""

    key: Key
    blocked: frozenset[tuple[str, str]]
    ends: float
    """A turn that does not help ends, too (monotonic seconds): somebody may need a blocked model to go on at all."""


@dataclass
class Counts:
    """Since the start; see `Reading`."""

    hits: int = 0
    loads: int = 0
    load_sec: float = 0.0
    evictions: int = 0
    failures: int = 0


@dataclass
class Shared:
    """Whoever reads or writes it holds `changed`, shortly, and notifies it of changes."""

    cache: ModelCache[Running]
    changed: threading.Condition = field(default_factory=threading.Condition)
    pending: dict[Key, list[Ticket]] = field(default_factory=dict)
    """Who waits for a load, in the order in which the models were first asked for."""
    holding: set[Ticket] = field(default_factory=set)
    """Those whose lease is counted."""
    leaving: list[Slot[Running]] = field(default_factory=list)
    """Marked as leaving by a caller or an engine, to be unloaded by the worker."""
    promised_bytes: int = 0
    """Of what is free or leaving, taken by the load for which the worker makes room now."""
    turn: Turn | None = None
    pins: dict[Key, bool] = field(default_factory=dict)
    """Pinned or unpinned by name; what is not in here follows its card."""
    codecs: dict[str, Codec] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    closing: bool = False

    @property
    def waiting(self) -> int:
        return sum(map(len, self.pending.values()))

    def in_line(self) -> list[Key]:
        """Models that wait for room, the first in line first; not the one that is being loaded."""
        loading = {slot.key for slot in self.cache if slot.phase is Phase.LOADING}
        return [key for key in self.pending if key not in loading]

    def available(self, key: Key) -> Slot[Running] | None:
        """The slot that a caller of `key` may lease at once."""
        if self.turn is not None and key in self.turn.blocked:
            return None
        return self.cache.ready(key)

    def grant(self, slot: Slot[Running], now: float, *, cache_hit: bool) -> None:
        """Give all who wait for this model their lease; counted here, so that nothing evicts it before its use."""
        for ticket in self.pending.pop(slot.key, []):
            if ticket.future.set_running_or_notify_cancel():
                self.lend(slot, ticket, now, cache_hit=cache_hit)
                ticket.future.set_result(None)
        self.changed.notify_all()

    def lend(self, slot: Slot[Running], ticket: Ticket, now: float, *, cache_hit: bool) -> None:
        """Count the ticket's lease."""
        self.cache.lease(slot, now)
        slot.hits += cache_hit
        ticket.slot, ticket.cache_hit, ticket.held = slot, cache_hit, now
        self.holding.add(ticket)

    def give_back(self, ticket: Ticket, slot: Slot[Running], now: float) -> None:
        """The ticket's lease is over."""
        self.cache.release(slot, now)
        ticket.slot = None
        self.holding.discard(ticket)

    def held(self, slot: Slot[Running], now: float) -> tuple[Held, ...]:
        """Who has a lease of it."""
        return tuple(Held(ticket.holder, now - ticket.held) for ticket in self.holding if ticket.slot is slot)

    def cached(self, slot: Slot[Running], now: float) -> Cached:
        """As others are told of it."""
        resident, held = slot.as_resident(now), self.held(slot, now)
        return Cached(resident, slot.key[1], slot.phase, slot.hits, now - slot.last_used, held)

    def refuse(self, keys: list[Key], error: Exception) -> None:
        """Fail all who wait for these models."""
        for key in keys:
            for ticket in self.pending.pop(key, []):
                if ticket.future.set_running_or_notify_cancel():
                    ticket.future.set_exception(error)
        self.changed.notify_all()

    def drop(self, ticket: Ticket) -> None:
        """Take a ticket out of the queue, if it is still there."""
        tickets = self.pending.get(ticket.key, [])
        if ticket in tickets:
            tickets.remove(ticket)
            if not tickets:
                del self.pending[ticket.key]

    def evict(self, slots: list[Slot[Running]]) -> None:
        """Mark idle models that have to go for others. Who marked them has them unloaded."""
        for slot in slots:
            self.cache.start_leaving(slot)
        self.counts.evictions += len(slots)
