"""Bytes of KV that an engine may hold, beside other engines and waiting loads."""

import time

import pytest

from llm.cache import ModelCache, Slot
from llm.eviction import Need
from llm.leasing.leases import Running, Shared, Ticket
from llm.leasing.room import CLAIM_SEC, SlotRoom, claimed_bytes, next_claim_end

HOLD = 1000.0
"""Seconds; no test takes as long."""


class House:
    """A budget of 100 bytes. `a` holds 30 of weights and 10 of KV, its floor, and is in use."""

    def __init__(self) -> None:
        self.shared = Shared(ModelCache[Running](100))
        self.a = self.resident("a", 30, kv=10, leases=1)
        self.room = SlotRoom(self.shared, self.a, hold=HOLD)

    def resident(
        self, name: str, size: int, *, kv: int = 0, leases: int = 0, used: float | None = None
    ) -> Slot[Running]:
        slot = self.shared.cache.reserve((name, "standard"), size, kv)
        self.shared.cache.settle(slot, None, time.monotonic() - 2 * HOLD if used is None else used)  # type: ignore[arg-type]
        for _ in range(leases):
            self.shared.cache.lease(slot, time.monotonic())
        return slot

    def unload(self) -> list[str]:
        """What the worker does with models that are marked to leave."""
        leaving, self.shared.leaving = self.shared.leaving, []
        for slot in leaving:
            self.shared.cache.remove(slot)
        self.shared.cache.check_integrity()
        return [slot.key[0] for slot in leaving]


def test_kv_grows_into_free_bytes_and_shrinks_to_its_floor() -> None:
    house = House()
    assert (house.room.granted_bytes, house.room.most_bytes) == (10, 70)
    assert house.room.resize(70)
    assert (house.room.granted_bytes, house.shared.cache.free_bytes) == (70, 0)
    assert not house.room.resize(71)
    assert house.room.resize(20)
    assert house.room.resize(0)
    assert (house.room.granted_bytes, house.shared.cache.free_bytes) == (10, 60)
    house.shared.cache.check_integrity()


def test_growth_makes_idle_models_leave_and_is_asked_for_again() -> None:
    house = House()
    house.resident("old", 20)
    house.resident("older", 20, used=0)
    assert not house.room.resize(40)
    assert house.shared.counts.evictions == 1
    assert not house.room.resize(40)  # one is on its way, and enough
    assert house.unload() == ["older"]
    assert house.room.resize(40)
    assert claimed_bytes([house.a], time.monotonic()) == 0


def test_nobody_leaves_when_that_would_not_do() -> None:
    house = House()
    house.resident("idle", 20)
    house.resident("busy", 30, leases=1)
    assert not house.room.resize(41)
    assert house.unload() == []
    assert claimed_bytes([house.a], time.monotonic()) == 31


def test_growth_that_its_engine_can_do_without_makes_nobody_leave_and_waits_for_loads() -> None:
    house = House()
    house.resident("idle", 30)
    assert not house.room.resize(41, evict=False)
    assert house.unload() == []
    assert claimed_bytes([house.a], time.monotonic()) == 0
    assert house.room.resize(20, evict=False)
    house.shared.pending[("b", "standard")] = [Ticket(("b", "standard"), 0.0, need=Need(90))]
    assert not house.room.resize(30, evict=False)
    assert house.room.resize(30)  # what an answer needs to go on is not refused for a load


def test_what_was_just_used_is_spared_until_the_growth_has_waited_as_long() -> None:
    house = House()
    house.resident("fresh", 60, used=time.monotonic())
    assert not house.room.resize(40)
    assert house.unload() == []
    impatient = SlotRoom(house.shared, house.a, hold=0.0)
    assert not impatient.resize(40)
    assert house.unload() == ["fresh"]


def test_pinned_models_stay_and_what_can_never_be_had_is_not_claimed() -> None:
    house = House()
    house.resident("pinned", 40).pinned = True
    assert house.room.resize(30)
    assert not house.room.resize(31)
    assert house.unload() == []
    assert claimed_bytes([house.a], time.monotonic()) == 0


def test_the_oldest_growth_goes_first() -> None:
    house = House()
    other = house.resident("b", 40, kv=10, leases=1)
    room = SlotRoom(house.shared, other, hold=HOLD)
    assert not room.resize(30)  # 20 more, and 10 are free
    assert not house.room.resize(20)
    house.room.resize(10)
    assert room.resize(20)  # it asks for less now, and that is free


def test_what_a_load_was_promised_is_not_taken_from_it() -> None:
    house = House()
    house.shared.promised_bytes = 50
    assert house.room.resize(20)
    assert not house.room.resize(21)


def test_a_claim_counts_while_it_is_renewed_and_its_model_is_used() -> None:
    house = House()
    house.resident("busy", 60, leases=1)
    assert not house.room.resize(20)
    asked = house.a.claim.asked  # type: ignore[union-attr]
    assert next_claim_end([house.a]) == asked + CLAIM_SEC
    assert claimed_bytes([house.a], asked + CLAIM_SEC - 0.01) == 10
    assert claimed_bytes([house.a], asked + CLAIM_SEC) == 0
    house.shared.cache.release(house.a, time.monotonic())
    assert claimed_bytes([house.a], asked) == 0


@pytest.mark.parametrize("phase", ["leaving", "gone"])
def test_a_model_that_leaves_gets_no_more_kv(phase: str) -> None:
    house = House()
    house.shared.cache.release(house.a, time.monotonic())
    house.shared.cache.start_leaving(house.a)
    assert not house.room.resize(20)
    if phase == "gone":
        house.shared.cache.remove(house.a)
        assert not house.room.resize(5)
    else:
        assert house.room.resize(5)
    house.shared.cache.check_integrity()


def test_a_model_does_not_leave_for_its_own_growth() -> None:
    house = House()
    house.shared.cache.release(house.a, 0.0)
    house.resident("busy", 60, leases=1)
    assert not house.room.resize(20)
    assert house.unload() == []
