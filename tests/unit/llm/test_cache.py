"""The cache's own law."""

import math

import pytest

from llm.cache import ModelCache
from state.errors import Broken


def test_bytes_count_from_the_reservation_until_it_is_gone() -> None:
    cache = ModelCache[str](100, keep_alive=5)
    slot = cache.reserve(("a", "standard"), 40)
    assert cache.free_bytes == 60
    assert cache.ready(("a", "standard")) is None
    cache.resize(slot, 45)
    cache.settle(slot, "model", now=1)
    cache.lease(slot, now=2)
    assert cache.next_deadline() == math.inf
    cache.release(slot, now=3)
    assert (cache.next_deadline(), cache.expired(7.9), cache.expired(8)) == (8, [], [slot])
    cache.start_leaving(slot)
    assert cache.free_bytes == 55
    assert cache.ready(("a", "standard")) is None
    cache.remove(slot)
    cache.check_integrity()
    assert cache.free_bytes == 100
    cache.release(slot, now=9)  # a lease may outlive a shutdown


def test_what_must_not_happen_is_broken() -> None:
    cache = ModelCache[str](100, keep_alive=0)
    slot = cache.reserve(("a", "standard"), 40)
    with pytest.raises(Broken, match="already"):
        cache.reserve(("a", "standard"), 1)
    cache.settle(slot, "model", now=1)
    with pytest.raises(Broken, match="more often"):
        cache.release(slot, now=1)
    cache.lease(slot, now=1)
    with pytest.raises(Broken, match="in use"):
        cache.start_leaving(slot)
    cache.free_bytes += 1
    with pytest.raises(Broken, match="budget"):
        cache.check_integrity()
