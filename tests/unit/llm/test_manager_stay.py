"""Who stays in memory: pins, keep-alives, the short hold after use; and who has to make way in the end."""

import asyncio
import math
import threading
import time

import pytest

from llm.leasing.line import Patience
from llm.manager import ModelManager
from state.errors import NoMemory, NotFound, TimedOut
from state.resources import Resident
from tests.unit.llm.fakes import FakeLoader, manager
from tests.unit.llm.test_manager import names, until, use, waiting


def resident(models: ModelManager, name: str) -> Resident:
    return next(model for model in models.get_memory_stats().resident if model.name == name)


async def test_a_pinned_model_makes_room_for_nobody_until_it_is_unpinned() -> None:
    loader = FakeLoader(a=60, b=60, c=30)
    models = manager(loader, budget=100)
    models.pin("a")
    assert resident(models, "a").pinned
    with pytest.raises(NoMemory, match=r"b \(standard\) needs 60 bytes .* pinned models hold 60 bytes: a \(standard\)"):
        await use(models, "b")
    await use(models, "c")
    assert models.cleanup_all() == 1
    assert names(models) == ["a"]
    models.unpin("a")
    await use(models, "b")
    assert names(models) == ["b"]
    with pytest.raises(NotFound):
        models.unpin("none")
    models.close()


async def test_a_pin_makes_the_hopeless_leave_the_line() -> None:
    models = manager(FakeLoader(a=60, b=60), budget=100)
    async with models.lease("a"):
        late = asyncio.create_task(use(models, "b"))
        await until(lambda: waiting(models) == 1)
        await asyncio.to_thread(models.pin, "a")
        with pytest.raises(NoMemory, match="unpin one"):
            await late
    models.close()


async def test_a_card_may_pin_and_an_order_by_name_is_stronger() -> None:
    models = manager(FakeLoader(a=60, b=30), budget=100, cards={"a": {"pinned": True}, "b": {"keep_alive": 0}})
    await use(models, "a")
    assert resident(models, "a").pinned
    await use(models, "b")
    await until(lambda: names(models) == ["a"])  # its card says: not a moment longer
    assert models.unload_model("a") == 1
    await use(models, "a")
    assert resident(models, "a").pinned
    models.unpin("a")
    models.unload_model("a")
    models.pin("a")
    models.unload_model("a")
    await use(models, "a")
    assert resident(models, "a").pinned  # unloading took the orders away; the card holds again
    models.close()


async def test_pinning_what_cannot_be_loaded_pins_nothing() -> None:
    models = manager(FakeLoader(a=60, b=120), budget=100)
    with pytest.raises(NoMemory):
        models.pin("b")
    await use(models, "a")
    assert not resident(models, "a").pinned
    models.close()


async def test_a_load_may_bring_its_own_keep_alive() -> None:
    models = manager(FakeLoader(a=10, b=10, c=10), budget=100, keep_alive=1000)
    models.load_model("a")
    models.load_model("b", keep_alive=-1)
    assert 990 < (resident(models, "a").expires_in_sec or 0) <= 1000
    assert resident(models, "b").expires_in_sec is None
    models.load_model("a", keep_alive=5)
    assert 0 < (resident(models, "a").expires_in_sec or math.inf) <= 5
    models.load_model("c", keep_alive=0)
    await until(lambda: names(models) == ["a", "b"])
    models.close()


async def test_a_model_that_an_agent_comes_back_to_is_not_thrown_out_in_between() -> None:
    loader = FakeLoader(a=60, b=60, c=10)
    models = manager(loader, budget=100, patience=Patience(hold=1.0))
    await use(models, "a")
    started = time.monotonic()
    other = asyncio.create_task(use(models, "b"))
    await until(lambda: waiting(models) == 1)
    await use(models, "c")  # another one that fits beside it is not held up
    assert (await use(models, "a")).cache_hit
    await other
    assert time.monotonic() - started >= 1.0
    assert loader.loads == ["a", "c", "b"]
    models.close()


async def test_an_operator_does_not_wait_for_the_hold() -> None:
    models = manager(FakeLoader(a=60, b=60), budget=100, patience=Patience(hold=1000))
    await use(models, "a")
    assert models.unload_model("a") == 1
    await use(models, "b")
    assert models.cleanup_all() == 1
    models.close()


async def test_a_model_in_use_without_pause_does_not_starve_the_first_in_line() -> None:
    loader = FakeLoader(hot=60, b=60)
    models = manager(loader, budget=100, patience=Patience(hold=0, turn=0.1))
    stop = asyncio.Event()
    served = 0

    async def keep_using(offset: float) -> None:
        """Two of these overlap, so that the model is never idle of itself."""
        nonlocal served
        await asyncio.sleep(offset)
        while not stop.is_set():
            async with models.lease("hot"):
                served += 1
                await asyncio.sleep(0.02)

    async with asyncio.timeout(20):
        hot = [asyncio.create_task(keep_using(offset)) for offset in (0.0, 0.01)]
        await until(lambda: served > 2)
        for _ in range(2):
            await use(models, "b")
            before = served
            await until(lambda before=before: served > before + 4)  # type: ignore[misc]
        stop.set()
        await asyncio.gather(*hot)
    assert loader.loads == ["hot", "b", "hot", "b", "hot"]
    models.check_integrity()
    models.close()


async def test_who_holds_a_model_gets_it_again_even_while_another_has_its_turn() -> None:
    models = manager(FakeLoader(a=60, b=60), budget=100, patience=Patience(hold=0, turn=0.1))
    async with asyncio.timeout(20):
        async with models.lease("a"):
            waits = asyncio.create_task(use(models, "b"))
            await until(lambda: waiting(models) == 1)
            waited = 0.0
            while waited < 0.05:  # until its turn has come: then new leases of `a` wait behind it for a while
                async with models.lease("a") as nested:
                    waited = nested.wait_sec
                await asyncio.sleep(0)
            assert not waits.done()
        await waits
    models.close()


async def test_callers_who_wait_for_each_others_models_are_told_so() -> None:
    models = manager(FakeLoader(a=60, b=60), budget=100, patience=Patience(hold=0, turn=0.1, most=0.3))
    async with asyncio.timeout(20):
        async with models.lease("a"):
            with pytest.raises(TimedOut, match=r"b \(standard\) needs 60 bytes and waited 0\.3 s .* in use: a"):
                await use(models, "b")
        await use(models, "b")
    models.check_integrity()
    models.close()


def test_two_threads_with_nested_leases_both_come_to_an_end() -> None:
    models = manager(FakeLoader(a=50, b=50, c=50, d=50), budget=100, patience=Patience(hold=0, turn=0.1, most=0.4))
    both = threading.Barrier(2)
    ends: list[str] = []

    def nested(first: str, second: str) -> None:
        with models.lease_sync(first):
            both.wait(10)
            try:
                with models.lease_sync(second):
                    ends.append("served")
            except TimedOut:
                ends.append("told")

    threads = [threading.Thread(target=nested, args=names) for names in (("a", "c"), ("b", "d"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ends) == 2
    assert "told" in ends
    models.check_integrity()
    models.close()


async def test_counts_tell_what_happened() -> None:
    loader = FakeLoader(a=60, b=60)
    models = manager(loader, budget=100)
    await use(models, "a")
    await use(models, "a")
    await use(models, "b")

    def fail(_: object) -> None:
        raise NoMemory("full")

    loader.before_load = fail
    with pytest.raises(NoMemory):
        await use(models, "a")
    reading = models.get_memory_stats()
    assert (reading.hits, reading.loads, reading.evictions, reading.failures) == (1, 2, 2, 1)
    assert reading.used_bytes == 0
    models.close()
