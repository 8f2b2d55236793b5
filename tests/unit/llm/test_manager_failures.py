"""What goes wrong: devices without memory, failing loads and engines, callers who leave, shutdowns in the middle."""

import asyncio
import threading
from contextlib import suppress

import pytest

from llm.engine.base import Room
from llm.loading.base import Loaded
from llm.manager import ModelManager
from llm.vram import FixedMeter, Memory
from state.errors import BadRequest, Broken, NoMemory, Unavailable
from state.models import ModelCard
from state.resources import Device
from tests.unit.llm.fakes import FakeEngine, FakeLoader, catalog, manager
from tests.unit.llm.test_manager import names, until, use, waiting


@pytest.mark.parametrize(("raised", "expected"), [(BadRequest("no"), BadRequest), (ZeroDivisionError("x"), Broken)])
async def test_a_failed_load_reaches_its_callers_and_nobody_else(raised: Exception, expected: type[Exception]) -> None:
    loader = FakeLoader(a=10, b=10)

    def fail(card: ModelCard) -> None:
        if card.name == "a":
            raise raised

    loader.before_load = fail
    models = manager(loader, budget=100)
    with pytest.raises(expected):
        await use(models, "a")
    await use(models, "b")
    models.check_integrity()
    assert names(models) == ["b"]
    models.close()


async def test_out_of_memory_evicts_what_is_idle_and_tries_once_more() -> None:
    loader = FakeLoader(a=10, b=10)
    models = manager(loader, budget=100)
    tries: list[str] = []

    def fail_once(card: ModelCard) -> None:
        tries.append(card.name)
        if tries.count("b") == 1 and card.name == "b":
            raise NoMemory("device full")

    loader.before_load = fail_once
    await use(models, "a")
    await use(models, "b")
    assert (tries, names(models)) == (["a", "b", "b"], ["b"])
    loader.before_load = lambda card: tries.append(card.name) or (_ for _ in ()).throw(NoMemory("device full"))  # type: ignore[func-returns-value]
    with pytest.raises(NoMemory, match="device full"):
        await use(models, "a")
    assert tries[3:] == ["a", "a"]
    models.check_integrity()
    models.close()


async def test_a_model_larger_than_expected_makes_others_leave_or_is_refused() -> None:
    loader = FakeLoader(a=50, b=40)
    loader.real_sizes["b"] = 70
    models = manager(loader, budget=100)
    await use(models, "a")
    await use(models, "b")
    assert names(models) == ["b"]
    loader.real_sizes["a"] = 101
    with pytest.raises(NoMemory, match="needs"):
        await use(models, "a")
    models.check_integrity()
    models.close()


async def test_a_device_that_stays_full_is_told_to_all_who_wait_and_the_next_one_tries_anew() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()

    def refuse(card: ModelCard) -> None:
        raise NoMemory(f"{card.name}: 10 bytes wanted, 3 free")

    loader.before_load = refuse
    models = manager(loader, budget=100)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(3)]
    await until(lambda: waiting(models) == 3)
    loader.gate.set()
    done = await asyncio.gather(*callers, return_exceptions=True)
    assert [str(error) for error in done] == ["a: 10 bytes wanted, 3 free"] * 3
    assert models.get_memory_stats().failures == 1  # nothing was idle, so there was no second try
    loader.before_load = lambda _: None
    await use(models, "a")
    models.close()


async def test_a_full_device_costs_neither_the_leased_nor_the_pinned_their_place() -> None:
    loader = FakeLoader(leased=10, pinned=10, idle=10, b=10)
    models = manager(loader, budget=100)
    models.pin("pinned")
    models.load_model("idle")
    tries: list[str] = []

    def refuse(card: ModelCard) -> None:
        tries.append(card.name)
        raise NoMemory("device full")

    async with models.lease("leased"):
        loader.before_load = refuse
        with pytest.raises(NoMemory, match="device full"):
            await use(models, "b")
        assert names(models) == ["pinned", "leased"]
    assert tries == ["b", "b"]
    models.check_integrity()
    models.close()


async def test_an_engine_that_cannot_be_opened_or_closed_harms_nobody_else() -> None:
    class Fragile(FakeEngine):
        def __init__(self, loaded: Loaded, room: Room) -> None:
            if loaded.card.name == "a":
                raise NoMemory("no room for its buffers: 5 bytes")
            super().__init__(loaded, room)

        def close(self) -> None:
            raise OSError("lost")

    models = manager(FakeLoader(a=60, b=60, c=60), budget=100, engine=Fragile)
    for _ in range(2):
        with pytest.raises(NoMemory, match="5 bytes"):
            await use(models, "a")
        await use(models, "b")
        await use(models, "c")
        models.check_integrity()
    assert names(models) == ["c"]
    models.close()
    assert names(models) == []


async def test_growth_does_not_take_what_was_freed_for_a_load() -> None:
    closing, go_on = threading.Event(), threading.Event()
    rooms: dict[str, Room] = {}

    class SlowToClose(FakeEngine):
        def __init__(self, loaded: Loaded, room: Room) -> None:
            super().__init__(loaded, room)
            rooms[loaded.card.name] = room

        def close(self) -> None:
            closing.set()
            assert go_on.wait(10)

    loader = FakeLoader(busy=20, idle=40, b=60)
    loader.kv["busy"] = 1
    models = manager(loader, budget=100, engine=SlowToClose, cards={"busy": {"context_length": 10}})
    await use(models, "idle")
    async with models.lease("busy"):
        caller = asyncio.create_task(use(models, "b"))
        await until(closing.is_set)
        assert rooms["busy"].granted_bytes == 10
        assert not rooms["busy"].resize(40)  # 30 bytes are free, but promised
        go_on.set()
        await caller
        models.check_integrity()
        assert rooms["busy"].resize(20)
        assert models.get_memory_stats().used_bytes == 100
    models.check_integrity()
    assert await asyncio.to_thread(models.unload_model, "b") == 1
    assert rooms["busy"].resize(80)  # the promise is over
    models.close()


async def test_closing_while_a_model_loads_waits_for_it_and_unloads_it() -> None:
    loader = FakeLoader(a=10)
    loader.gate.clear()
    models = manager(loader, budget=100)
    caller = asyncio.create_task(use(models, "a"))
    await until(loader.started.is_set)
    closing = asyncio.create_task(asyncio.to_thread(models.close))
    with pytest.raises(Unavailable, match="shut down"):
        while True:  # until the closing has begun
            with suppress(TimeoutError):
                await asyncio.wait_for(use(models, "a"), 0.01)
    loader.gate.set()
    await closing
    with pytest.raises(Unavailable, match="shut down"):
        await caller
    assert names(models) == []
    models.close()  # twice is once


async def test_closing_ends_every_thread_and_refuses_who_waits() -> None:
    before = set(threading.enumerate())
    models = manager(FakeLoader(a=60, b=60), budget=100)
    async with models.lease("a") as lease:
        late = asyncio.create_task(use(models, "b"))
        await until(lambda: waiting(models) == 1)
        models.close()
        with pytest.raises(Unavailable, match="shut down"):
            await late
        assert isinstance(lease.engine, FakeEngine)
        assert lease.engine.closed
    with pytest.raises(Unavailable, match="shut down"):
        await use(models, "a")
    models.check_integrity()
    assert names(models) == []
    assert not [t for t in threading.enumerate() if t not in before and t.name == "model-loader"]


async def test_a_driver_that_cannot_be_asked_fails_who_waits_and_nobody_later() -> None:
    meter = FlakyMeter()
    models = ModelManager(catalog("a"), FakeLoader(a=10), FakeEngine, meter, budget_bytes=100)
    meter.broken = True
    with pytest.raises(Broken, match="memory could not be read"):
        await use(models, "a")
    meter.broken = False
    await use(models, "a")
    models.close()


async def test_memory_that_others_took_is_not_waited_for() -> None:
    meter = FixedMeter(Memory(ram_total=100, ram_free=5))
    models = ModelManager(catalog("a"), FakeLoader(a=10), FakeEngine, meter, budget_bytes=100)
    with pytest.raises(NoMemory, match=r"a \(standard\) needs 10 bytes, only 5 bytes can be freed"):
        await use(models, "a")
    models.close()


class FlakyMeter:
    """A driver that sometimes cannot be asked."""

    device: Device = "cpu"
    broken = False

    def read(self) -> Memory:
        if self.broken:
            raise RuntimeError("driver lost")
        return Memory(ram_total=1000, ram_free=1000)
