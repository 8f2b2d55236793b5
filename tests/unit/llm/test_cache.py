"""The cache's own law."""

import math

import pytest

from llm.cache import ModelCache
from state.errors import Broken


def test_bytes_count_from_the_reservation_until_it_is_gone() -> None:
    cache = ModelCache[str](100)
    slot = cache.reserve(("a", "standard"), 40, 10, keep_alive=5)
    assert cache.free_bytes == 50
    assert cache.ready(("a", "standard")) is None
    cache.resize(slot, 45)
    cache.resize_kv(slot, 25)
    cache.settle(slot, "model", now=1)
    assert cache.free_bytes == 30
    cache.lease(slot, now=2)
    assert not slot.can_expire
    cache.release(slot, now=3)
    assert (slot.deadline, cache.expired(7.9), cache.expired(8)) == (8, [], [slot])
    cache.start_leaving(slot)
    assert cache.free_bytes == 30
    assert cache.ready(("a", "standard")) is None
    cache.check_integrity()
    cache.remove(slot)
    cache.check_integrity()
    assert cache.free_bytes == 100
    cache.release(slot, now=9)  # a lease may outlive a shutdown


def test_a_pinned_model_never_expires() -> None:
    cache = ModelCache[str](100)
    slot = cache.reserve(("a", "standard"), 40, keep_alive=5, pinned=True)
    cache.settle(slot, "model", now=1)
    assert cache.expired(1000) == []
    assert slot.as_resident(3).expires_in_sec is None
    slot.pinned = False
    assert cache.expired(1000) == [slot]


def test_a_reading_tells_idle_time_and_time_left() -> None:
    cache = ModelCache[str](100)
    slot = cache.reserve(("a", "standard"), 40, 10, keep_alive=5)
    loading = slot.as_resident(0)
    assert (loading.leases, loading.expires_in_sec, loading.total_bytes) == (1, None, 50)
    cache.settle(slot, "model", now=1)
    idle = slot.as_resident(3)
    assert (idle.leases, idle.idle_for_sec, idle.expires_in_sec, idle.kv_bytes) == (0, 2, 3, 10)
    slot.keep_alive = math.inf
    cache.lease(slot, now=4)
    assert (slot.as_resident(9).idle_for_sec, slot.as_resident(9).expires_in_sec) == (0, None)
    cache.release(slot, now=5)
    assert (slot.as_resident(9).idle_for_sec, slot.as_resident(9).expires_in_sec) == (4, None)


def test_what_must_not_happen_is_broken() -> None:
    cache = ModelCache[str](100)
    slot = cache.reserve(("a", "standard"), 40, 10)
    with pytest.raises(Broken, match="already"):
        cache.reserve(("a", "standard"), 1)
    cache.settle(slot, "model", now=1)
    with pytest.raises(Broken, match="more often"):
        cache.release(slot, now=1)
    cache.lease(slot, now=1)
    with pytest.raises(Broken, match="in use"):
        cache.start_leaving(slot)
    cache.resize_kv(slot, 9)
    with pytest.raises(Broken, match="9 bytes of KV, below its floor 10"):
        cache.check_integrity()
    cache.resize_kv(slot, 10)
    cache.check_integrity()
    cache.free_bytes += 1
    with pytest.raises(Broken, match="budget"):
        cache.check_integrity()


def test_only_a_load_may_take_more_than_there_is() -> None:
    cache = ModelCache[str](100)
    slot = cache.reserve(("a", "standard"), 90)
    cache.resize(slot, 110)
    cache.check_integrity()
    cache.settle(slot, "model", now=1)
    with pytest.raises(Broken, match="take 110 of 100"):
        cache.check_integrity()
