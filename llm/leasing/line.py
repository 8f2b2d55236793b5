"""The line of those who wait for models: who is served next, by whose leaving, and when to look again.

Decided under the manager's lock, acted upon by the worker outside it. The first in line makes others leave; those
behind it may use what is free already, so that a small model does not wait behind a large one. A first in line that has
waited long gets its turn: what stands in its way is not leased anew, and nobody overtakes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from llm.cache import Key, Slot
from llm.eviction import Need, check_fits, in_the_way, make_room
from llm.leasing.leases import Running, Shared, Turn
from llm.leasing.room import claimed_bytes, next_claim_end
from llm.vram import Meter
from state.errors import NoMemory, TimedOut, Unavailable
from state.resources import Resident


@dataclass(frozen=True)
class Patience:
    """Seconds."""

    hold: float = 2.0
    """An idle model is spared for so long after its use: an agent loop that leaves it between two calls comes back."""
    turn: float = 30.0
    """How long the first in line waits before it gets its turn, and how long a turn lasts that does not help."""
    most: float = 300.0
    """How long anybody waits for room. Callers who wait for each other's models end by this."""


@dataclass(frozen=True)
class Act:
    """What the worker does next: unload `leaving`, then load `key` if it is one, with `kv_bytes` of KV."""

    leaving: list[Slot[Running]]
    key: Key | None = None
    need: Need | None = None
    kv_bytes: int = 0


class Line:
    """Reads and writes `Shared`; its callers hold the lock."""

    def __init__(self, shared: Shared, meter: Meter, patience: Patience) -> None:
        self._shared = shared
        self._meter = meter
        self._patience = patience
        self._next_turn = 0.0

    def next_act(self, now: float) -> Act | None:
        """The next thing to do, if there is one. Grants and refuses on the way what needs no loading or unloading."""
        if self._shared.closing:
            self._shared.refuse(list(self._shared.pending), Unavailable("models are being shut down"))
            everything = list(self._shared.cache)
            return Act(everything) if everything else None
        leaving, self._shared.leaving = self._shared.leaving, []
        for slot in self._shared.cache.expired(now):
            self._shared.cache.start_leaving(slot)
            leaving.append(slot)
        if leaving:
            return Act(leaving)
        self._refuse_overdue(now)
        self._take_turns(now)
        self._grant_resident(now)
        return self._next_load(now)

    def next_look(self, now: float) -> float:
        """When something changes by the clock alone (monotonic seconds) after `next_act` found nothing to do at `now`.

        Infinity when nothing does.
        """
        times = [slot.deadline for slot in self._shared.cache if slot.can_expire]
        if self._shared.pending:
            asked = [tickets[0].lined_up for tickets in self._shared.pending.values()]
            times += [since + wait for since in asked for wait in (self._patience.turn, self._patience.most)]
            times += [slot.last_used + self._patience.hold for slot in self._shared.cache if slot.idle]
            times += [next_claim_end(self._shared.cache), self._next_turn]
        if self._shared.turn:
            times.append(self._shared.turn.ends)
        return min((at for at in times if at > now), default=math.inf)

    def _refuse_overdue(self, now: float) -> None:
        for key in list(self._shared.pending):
            for ticket in [t for t in self._shared.pending[key] if t.lined_up + self._patience.most <= now]:
                self._shared.drop(ticket)
                used = ", ".join(f"{s.key[0]} ({s.key[1]})" for s in self._shared.cache if s.leases) or "none"
                if ticket.future.set_running_or_notify_cancel():
                    waited = f"waited {self._patience.most:g} s for room; models in use: {used}; ask again later"
                    ticket.future.set_exception(TimedOut(f"{name_of(key)} {ticket.need} and {waited}"))

    def _take_turns(self, now: float) -> None:
        """End the turn that is over, begin the one that is due."""
        turn = self._shared.turn
        if turn is not None and (turn.key not in self._shared.pending or turn.ends <= now):
            if turn.ends <= now:
                self._next_turn = now + self._patience.turn
            turn = self._shared.turn = None
        key, tickets = next(iter(self._shared.pending.items()), (None, []))
        if key is None or (turn is None and now < max(tickets[0].lined_up + self._patience.turn, self._next_turn)):
            return
        self._shared.turn = Turn(
            key,
            in_the_way(
                self._others(key, now),
                wanted=tickets[0].need.least,
                free=self._free(now),
                already=turn.blocked if turn else (),
            ),
            turn.ends if turn else now + self._patience.turn,
        )

    def _grant_resident(self, now: float) -> None:
        """Serve who lined up for a model that is in memory: its turn to be spared is over."""
        for key in list(self._shared.pending):
            slot = self._shared.available(key)
            if slot is not None:
                self._shared.grant(slot, now, cache_hit=True)

    def _next_load(self, now: float) -> Act | None:
        while self._shared.pending:
            key, tickets = next(iter(self._shared.pending.items()))
            try:
                return self._make_room(key, tickets[0].need, now)
            except NoMemory as error:
                if self._may_fit_later(key, tickets[0].need, now):
                    return self._overtake(now)
                self._shared.refuse([key], error)
        return None

    def _make_room(self, key: Key, need: Need, now: float) -> Act:
        """Raises NoMemory when it cannot be done now."""
        others = self._others(key, now)
        pinned = [model for model in others if model.pinned]
        check_fits(name_of(key), need, budget=self._shared.cache.budget_bytes, pinned=pinned)
        has_turn = self._shared.turn is not None and self._shared.turn.key == key
        hold = 0.0 if has_turn else self._patience.hold
        try:
            gone, kv_bytes = make_room(others, need, free=self._free(now), now=now, hold=hold)
        except NoMemory as error:
            raise NoMemory(f"{name_of(key)} {error}") from None
        keys = {(model.name, model.strategy) for model in gone}
        leaving = [slot for slot in self._shared.cache if slot.key in keys]
        self._shared.evict(leaving)
        self._shared.promised_bytes = need.weights + kv_bytes
        return Act(leaving, key, need, kv_bytes)

    def _may_fit_later(self, key: Key, need: Need, now: float) -> bool:
        """Whether it would fit if what is in use now were idle and its KV returned."""
        freed = sum(model.total_bytes for model in self._others(key, now) if not model.pinned)
        return need.least <= min(self._shared.cache.free_bytes, self._meter.read().free) + freed

    def _overtake(self, now: float) -> Act | None:
        """A load for someone behind the first in line, if it fits into what is free already."""
        if self._shared.turn is not None:
            return None
        free = self._free(now)
        for key, tickets in self._shared.pending.items():
            need = tickets[0].need
            if need.least <= free:
                kv_bytes = min(need.kv, free - need.weights)
                self._shared.promised_bytes = need.weights + kv_bytes
                return Act([], key, need, kv_bytes)
        return None

    def _free(self, now: float) -> int:
        """Bytes that a load may take now: running answers that need more go first."""
        cache = self._shared.cache
        return min(cache.free_bytes - claimed_bytes(cache, now), self._meter.read().free)

    def _others(self, key: Key, now: float) -> list[Resident]:
        return [slot.as_resident(now) for slot in self._shared.cache if slot.key != key]


def name_of(key: Key) -> str:
    """`demo (standard)`, as messages name a model in one strategy."""
    return f"{key[0]} ({key[1]})"
