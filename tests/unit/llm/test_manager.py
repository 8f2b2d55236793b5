"""The manager's rules, with a loader that loads nothing."""

import asyncio
import random
import threading
from collections.abc import Callable

import pytest

from llm.leasing.leases import Lease
from llm.manager import ModelManager
from state.errors import NoMemory, NotFound, Unavailable
from tests.unit.llm.fakes import FakeEngine, FakeLoader, manager


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


def names(models: ModelManager) -> list[str]:
    return [resident.name for resident in models.get_memory_stats().resident]


def waiting(models: ModelManager) -> int:
    return models.get_memory_stats().waiting


async def use(models: ModelManager, name: str) -> Lease:
    async with models.lease(name) as lease:
        return lease


async def test_many_callers_cause_one_load() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()
    models = manager(loader, budget=100)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(8)]
    await until(lambda: waiting(models) == 8)
    loader.gate.set()
    leases = await asyncio.gather(*callers)
    assert loader.loads == ["a"]
    assert not any(lease.cache_hit for lease in leases)
    again = await use(models, "a")
    assert (again.cache_hit, again.load_time_sec) == (True, 0.0)
    models.close()


async def test_a_caller_who_leaves_starts_no_load_and_stops_none() -> None:
    loader = FakeLoader(a=10, b=10)
    loader.gate.clear()
    models = manager(loader, budget=100)
    first, second = [asyncio.create_task(use(models, "a")) for _ in range(2)]
    other = asyncio.create_task(use(models, "b"))
    await until(lambda: waiting(models) == 3 and loader.started.is_set())
    first.cancel()
    other.cancel()
    await asyncio.wait([first, other])
    loader.gate.set()
    await second
    assert (loader.loads, waiting(models), names(models)) == (["a"], 0, ["a"])
    models.close()


async def test_a_caller_who_leaves_while_room_is_made_starts_no_load() -> None:
    closing, go_on = threading.Event(), threading.Event()

    class SlowToClose(FakeEngine):
        def close(self) -> None:
            closing.set()
            assert go_on.wait(10)

    loader = FakeLoader(a=60, b=60)
    models = manager(loader, budget=100, engine=SlowToClose)
    await use(models, "a")
    caller = asyncio.create_task(use(models, "b"))
    await until(closing.is_set)
    caller.cancel()
    await asyncio.wait([caller])
    go_on.set()
    await until(lambda: names(models) == [])
    assert loader.loads == ["a"]
    models.close()


async def test_a_load_that_everybody_left_frees_what_it_took() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()
    models = manager(loader, budget=100, keep_alive=0)
    caller = asyncio.create_task(use(models, "a"))
    await until(loader.started.is_set)
    caller.cancel()
    await asyncio.wait([caller])
    loader.gate.set()
    await until(lambda: names(models) == [])
    models.check_integrity()
    models.close()


async def test_the_least_recently_used_idle_model_leaves() -> None:
    models = manager(FakeLoader(a=40, b=40, c=40, d=40), budget=120)
    for name in ("a", "b", "c", "a", "d"):
        await use(models, name)
    assert names(models) == ["a", "c", "d"]
    models.close()


async def test_a_leased_model_never_leaves_and_the_next_one_waits_for_it() -> None:
    models = manager(FakeLoader(a=60, b=60), budget=100)
    async with models.lease("a") as lease:
        second = asyncio.create_task(use(models, "b"))
        await until(lambda: waiting(models) == 1)
        assert names(models) == ["a"]
        assert isinstance(lease.engine, FakeEngine)
        assert not lease.engine.closed
    await second
    assert names(models) == ["b"]
    assert lease.engine.closed
    models.close()


async def test_a_loaded_model_is_leased_while_another_loads() -> None:
    loader = FakeLoader(a=10, b=10)
    models = manager(loader, budget=100)
    await use(models, "a")
    loader.gate.clear()
    slow = asyncio.create_task(use(models, "b"))
    await until(lambda: waiting(models) == 1)
    async with asyncio.timeout(1):
        assert (await use(models, "a")).cache_hit
    loader.gate.set()
    await slow
    models.close()


async def test_a_small_model_passes_a_large_one_that_waits_but_the_large_one_is_served_next() -> None:
    models = manager(FakeLoader(a=50, large=90, small=40, other=50), budget=100)
    async with models.lease("a"):
        large = asyncio.create_task(use(models, "large"))
        await until(lambda: waiting(models) == 1)
        await use(models, "small")
        third = asyncio.create_task(use(models, "other"))
        await until(lambda: waiting(models) == 2)
    await large
    await third
    models.check_integrity()
    models.close()


async def test_what_can_never_fit_is_refused_at_once() -> None:
    loader = FakeLoader(a=10, big=3 * 2**30)
    loader.gate.clear()
    models = manager(loader, budget=2**30)
    busy = asyncio.create_task(use(models, "a"))
    await until(loader.started.is_set)
    with pytest.raises(NoMemory, match=r"big \(standard\) needs 3\.0 GiB and can never fit: models may take 1\.0 GiB"):
        await use(models, "big")
    loader.gate.set()
    await busy
    models.close()


async def test_the_queue_for_loads_is_bounded() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()
    models = manager(loader, budget=100, most_waiting=2)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(2)]
    await until(lambda: waiting(models) == 2)
    with pytest.raises(Unavailable, match="2 callers already wait"):
        await use(models, "a")
    loader.gate.set()
    await asyncio.gather(*callers)
    models.close()


async def test_an_idle_model_leaves_when_its_time_is_over() -> None:
    models = manager(FakeLoader(a=10), budget=100, keep_alive=0.05)
    async with models.lease("a"):
        await asyncio.sleep(0.1)  # longer than the keep-alive: what is leased stays
        assert names(models) == ["a"]
    await until(lambda: names(models) == [])
    models.close()


async def test_unload_and_cleanup_leave_what_is_leased() -> None:
    models = manager(FakeLoader(a=10, b=10), budget=100)
    models.load_model("b")
    assert models.get_model("b") is not None
    assert models.get_model("a") is None
    async with models.lease("a"):
        with pytest.raises(Unavailable, match=r"a \(standard\) answers 1 calls"):
            models.unload_model("a")
        assert models.cleanup_all() == 1
    assert models.unload_model("a") == 1
    assert models.unload_model("a") == 0
    with pytest.raises(NotFound):
        models.unload_model("none")
    models.close()


async def test_several_event_loops_and_threads_share_the_models() -> None:
    loader = FakeLoader(a=40, b=40, c=40)
    models = manager(loader, budget=80)

    async def some(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(20):
            async with models.lease(order.choice("abc")):
                await asyncio.sleep(0)

    def plain() -> None:
        for name in "abcabc" * 3:
            with models.lease_sync(name):
                pass

    threads = [threading.Thread(target=lambda n=n: asyncio.run(some(n))) for n in range(4)]
    threads += [threading.Thread(target=plain) for _ in range(2)]
    for thread in threads:
        thread.start()
    await some(99)
    await asyncio.gather(*(asyncio.to_thread(thread.join, 20) for thread in threads))
    assert not any(thread.is_alive() for thread in threads)
    models.check_integrity()
    assert all(resident.leases == 0 for resident in models.get_memory_stats().resident)
    models.close()
