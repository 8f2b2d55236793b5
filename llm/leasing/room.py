"""SlotRoom: the bytes of keys and values (KV) that one engine may hold, under the budget of all models.

Running answers go first: memory comes back only when they end, so an engine's growth takes what is free even while
loads wait, and loads keep away from what an engine has asked for and not got yet. What bounds this is that a load which
has waited long gets its turn (`line.py`): no new leases on the models in its way, hence nothing that makes them grow.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from llm.cache import Claim, Phase, Slot
from llm.eviction import to_evict
from llm.leasing.leases import Running, Shared
from state.errors import NoMemory

CLAIM_SEC = 5.0
"""A claim that is not renewed for so long is forgotten. Engines renew theirs at every step, a long prefill apart."""


class SlotRoom:
    """Fills `Room` for the engine of one slot."""

    def __init__(self, shared: Shared, slot: Slot[Running], *, hold: float) -> None:
        """`hold`: seconds that an idle model is spared after its last use, unless the growth has waited as long."""
        self._shared = shared
        self._slot = slot
        self._hold = hold

    @property
    def granted_bytes(self) -> int:
        """See `Room`. 0 only for a model whose tokens take nothing."""
        return self._slot.kv_bytes

    @property
    def most_bytes(self) -> int:
        """See `Room`."""
        return self._shared.cache.budget_bytes - self._slot.size_bytes

    def resize(self, wanted_bytes: int, *, evict: bool = True) -> bool:
        """See `Room`. Less than the floor leaves the floor; nothing grows in a model that leaves or is gone.

        Growth without `evict` is growth that its engine can do without: it is refused while loads wait for room.
        """
        with self._shared.changed:
            if self._slot not in self._shared.cache:
                return False
            more = max(wanted_bytes, self._slot.kv_floor) - self._slot.kv_bytes
            if more > 0 and not self._may_grow(more, time.monotonic(), evict=evict):
                return False
            self._shared.cache.resize_kv(self._slot, self._slot.kv_bytes + more)
            self._slot.claim = None
            if more < 0:
                self._shared.changed.notify_all()  # a load that waits may fit now
            return True

    def _may_grow(self, more: int, now: float, *, evict: bool) -> bool:
        """Whether `more` bytes are free. If they are not but could be, and `evict`, idle models are marked to leave."""
        shared, slot = self._shared, self._slot
        if shared.closing or slot.phase is Phase.LEAVING or more > self._could_have():
            return False
        if not evict and shared.in_line():
            return False
        since = slot.claim.since if slot.claim else now
        others = [other for other in shared.cache if other is not slot]
        free = shared.cache.free_bytes - shared.promised_bytes - claimed_bytes(others, now, before=since)
        if free >= more:
            return True
        if not evict:
            return False
        slot.claim = Claim(more, since, now)
        coming = sum(other.total_bytes for other in others if other.phase is Phase.LEAVING)
        hold = 0.0 if now - since >= self._hold else self._hold
        try:
            residents = [other.as_resident(now) for other in others]
            gone = to_evict(residents, wanted=more, free=free + coming, now=now, hold=hold)
        except NoMemory:
            return False  # until somebody's answer ends
        keys = {(model.name, model.strategy) for model in gone}
        leaving = [other for other in others if other.key in keys]
        shared.evict(leaving)
        shared.leaving += leaving
        shared.changed.notify_all()
        return False

    def _could_have(self) -> int:
        """Bytes that it could grow by if every model left but the pinned ones."""
        kept = sum(other.total_bytes for other in self._shared.cache if other.pinned and other is not self._slot)
        return self._shared.cache.budget_bytes - kept - self._slot.total_bytes


def claimed_bytes(slots: Iterable[Slot[Running]], now: float, *, before: float = float("inf")) -> int:
    """Bytes that engines in use have asked for and not got, of claims older than `before`."""
    claims = [slot.claim for slot in slots if slot.claim and slot.leases]
    return sum(claim.more_bytes for claim in claims if claim.since < before and now < claim.asked + CLAIM_SEC)


def next_claim_end(slots: Iterable[Slot[Running]]) -> float:
    """When the next claim will be forgotten (monotonic seconds); infinity when there is none."""
    return min((slot.claim.asked + CLAIM_SEC for slot in slots if slot.claim and slot.leases), default=float("inf"))
