"""Who is served next, by a clock of our own."""

import math

import pytest

from llm.cache import Claim, Key, ModelCache, Slot
from llm.eviction import Need
from llm.leasing.leases import Running, Shared, Ticket
from llm.leasing.line import Line, Patience
from llm.vram import FixedMeter, Memory
from state.errors import NoMemory, TimedOut

PATIENCE = Patience(hold=2, turn=30, most=300)


def key(name: str) -> Key:
    return name, "standard"


class Scene:
    """A budget of 100 bytes, models in it, and a line of callers."""

    def __init__(self, *, free: int = 10**6, patience: Patience = PATIENCE) -> None:
        self.shared = Shared(ModelCache[Running](100))
        self.line = Line(self.shared, FixedMeter(Memory(ram_total=10**6, ram_free=free)), patience)

    def resident(
        self, name: str, size: int, *, used: float = 0.0, leases: int = 0, pinned: bool = False
    ) -> Slot[Running]:
        slot = self.shared.cache.reserve(key(name), size, pinned=pinned)
        self.shared.cache.settle(slot, None, used)  # type: ignore[arg-type]
        for _ in range(leases):
            self.shared.cache.lease(slot, used)
        return slot

    def asks(self, name: str, size: int, at: float) -> Ticket:
        ticket = Ticket(key(name), at, lined_up=at, need=Need(size))
        self.shared.pending.setdefault(ticket.key, []).append(ticket)
        return ticket

    def next(self, now: float) -> tuple[str | None, list[str]] | None:
        """Who is loaded next and who leaves for it."""
        with self.shared.changed:
            act = self.line.next_act(now)
            self.shared.cache.check_integrity()
        return None if act is None else (act.key and act.key[0], sorted(slot.key[0] for slot in act.leaving))


def test_the_first_in_line_makes_idle_models_leave() -> None:
    scene = Scene()
    scene.resident("old", 50, used=1)
    scene.resident("new", 50, used=5)
    scene.asks("a", 40, at=10)
    assert scene.next(10) == ("a", ["old"])
    assert scene.shared.promised_bytes == 40
    assert scene.shared.counts.evictions == 1


def test_a_model_just_used_is_spared_until_its_hold_ends() -> None:
    scene = Scene()
    scene.resident("old", 100, used=9)
    scene.asks("a", 40, at=10)
    assert scene.next(10) is None
    assert scene.line.next_look(10) == 11
    assert scene.next(10.9) is None
    assert scene.next(11) == ("a", ["old"])


def test_those_behind_the_first_use_what_is_free_and_make_nobody_leave() -> None:
    scene = Scene()
    scene.resident("busy", 50, leases=1)
    scene.resident("idle", 10, used=0)
    scene.asks("large", 60, at=10)
    scene.asks("medium", 45, at=11)
    scene.asks("small", 40, at=12)
    assert scene.next(12) == ("small", [])
    assert scene.shared.promised_bytes == 40


def test_a_first_in_line_that_waited_long_gets_its_turn() -> None:
    scene = Scene()
    hot = scene.resident("hot", 60, used=39, leases=1)
    other = scene.resident("other", 20, used=38, leases=1)
    scene.asks("a", 90, at=10)
    scene.asks("small", 20, at=12)
    assert scene.next(11) == ("small", [])
    del scene.shared.pending[key("small")]
    assert scene.next(11) is None
    assert scene.line.next_look(11) == 40
    scene.asks("small", 20, at=39)
    assert scene.next(40) is None  # nobody overtakes a turn
    assert scene.shared.available(key("hot")) is None
    assert scene.shared.available(key("other")) is None
    scene.shared.cache.release(hot, 41)
    assert scene.next(41) is None
    scene.shared.cache.release(other, 41)
    assert scene.next(41) == ("a", ["hot", "other"])  # at once: a turn waits for no hold


def test_a_turn_leaves_alone_what_is_not_in_the_way() -> None:
    scene = Scene()
    scene.resident("hot", 50, used=39, leases=1)
    scene.resident("cool", 50, used=38, leases=1)
    scene.asks("a", 50, at=0)
    assert scene.next(39) is None
    assert scene.shared.available(key("hot")) is not None
    assert scene.shared.available(key("cool")) is None


def test_a_turn_ends_when_it_was_served_or_left_and_then_the_others_go_on() -> None:
    scene = Scene()
    scene.resident("hot", 100, used=39, leases=1)
    scene.asks("a", 50, at=0)
    assert scene.next(40) is None
    late = scene.asks("hot", 100, at=41)
    assert scene.next(41) is None
    assert late.slot is None
    del scene.shared.pending[key("a")]
    assert scene.next(42) is None
    assert late.slot is not None
    assert late.cache_hit


def test_a_turn_that_does_not_help_ends_and_comes_again_later() -> None:
    """So the holder of a lease that asks for the same model again goes on, whoever waits."""
    scene = Scene()
    scene.resident("hot", 100, used=39, leases=1)
    scene.asks("a", 50, at=0)
    assert scene.next(40) is None
    nested = scene.asks("hot", 100, at=41)
    assert scene.line.next_look(41) == 70
    assert scene.next(69) is None
    assert nested.slot is None
    assert scene.next(70) is None
    assert nested.slot is not None
    assert scene.shared.available(key("hot")) is not None
    assert scene.line.next_look(70) == 100
    assert scene.next(100) is None
    assert scene.shared.available(key("hot")) is None


def test_nobody_waits_for_ever() -> None:
    scene = Scene(patience=Patience(hold=2, turn=1000, most=300))
    scene.resident("busy", 60, leases=2)
    first, second = scene.asks("a", 50, at=10), scene.asks("a", 50, at=20)
    assert scene.next(309) is None
    assert scene.line.next_look(309) == 310
    assert scene.next(310) is None
    with pytest.raises(TimedOut, match=r"a \(standard\) needs 50 bytes and waited 300 s .* in use: busy \(standard\)"):
        first.future.result(timeout=0)
    assert not second.future.done()
    assert scene.next(320) is None
    assert second.future.done()
    assert scene.line.next_look(320) == math.inf


def test_what_a_pin_made_impossible_is_refused_though_others_are_in_use() -> None:
    scene = Scene()
    busy = scene.resident("busy", 60, leases=1)
    asked = scene.asks("a", 50, at=0)
    assert scene.next(1) is None
    assert not asked.future.done()
    busy.pinned = True
    assert scene.next(2) is None
    with pytest.raises(NoMemory, match=r"a \(standard\) needs 50 bytes .* pinned models hold 60 bytes: busy"):
        asked.future.result(timeout=0)


def test_what_fits_the_budget_but_not_the_device_is_refused_when_nothing_can_change_that() -> None:
    scene = Scene(free=20)
    busy = scene.resident("busy", 20, leases=1)
    larger, waits = scene.asks("larger", 45, at=0), scene.asks("waits", 40, at=0)
    assert scene.next(1) is None
    with pytest.raises(NoMemory, match=r"larger \(standard\) needs 45 bytes, only 20 bytes can be freed"):
        larger.future.result(timeout=0)
    assert not waits.future.done()
    scene.shared.cache.release(busy, 1)
    assert scene.next(3) == ("waits", ["busy"])


def test_loads_keep_away_from_what_a_running_answer_has_asked_for() -> None:
    scene = Scene()
    busy = scene.resident("busy", 50, leases=1)
    busy.claim = Claim(20, since=9, asked=10)
    scene.asks("a", 40, at=0)
    assert scene.next(11) is None
    assert scene.line.next_look(11) == 15  # the claim is forgotten unless it is renewed
    busy.claim = Claim(20, since=9, asked=14)
    assert scene.next(15) is None
    assert scene.next(19) == ("a", [])


def test_kv_is_cut_before_a_load_waits() -> None:
    scene = Scene()
    scene.resident("busy", 50, leases=1)
    ticket = scene.asks("a", 30, at=0)
    ticket.need = Need(30, kv=40, kv_least=10)
    act = scene.line.next_act(1)
    assert act is not None
    assert (act.key, act.kv_bytes, scene.shared.promised_bytes) == (key("a"), 20, 50)
