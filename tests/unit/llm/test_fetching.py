"""Downloads before a load: one for all who wait, in nobody's way, and ended when the last has left."""

import asyncio
import threading

import pytest

from llm.loading.base import Progress
from state.errors import Broken, NotFound, Unavailable
from state.models import ModelCard
from tests.unit.llm.fakes import FakeLoader, manager
from tests.unit.llm.test_manager import names, until, use, waiting


def loader_without(*away: str) -> FakeLoader:
    loader = FakeLoader(a=10, b=10)
    loader.away = set(away)
    return loader


def fetch_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("fetch-")]


async def test_one_download_serves_all_who_wait_and_holds_up_nobody_else() -> None:
    loader = loader_without("a")
    models = manager(loader, budget=100)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(20)]
    await until(lambda: waiting(models) == 20)
    async with asyncio.timeout(5):
        await use(models, "b")  # also more than the pool of threads for short calls has
    assert names(models) == ["b"]
    loader.bytes_arrive.release(3)
    await asyncio.gather(*callers)
    assert (loader.fetches, loader.loads) == (["a"], ["b", "a"])
    looks = len(loader.looks)
    await use(models, "a")
    assert len(loader.looks) == looks  # a model in memory costs no look at the disk
    models.close()


def test_plain_threads_fetch_too() -> None:
    loader = loader_without("a")
    models = manager(loader, budget=100)
    loader.bytes_arrive.release(3)
    models.load_model("a")
    assert (loader.fetches, loader.loads) == (["a"], ["a"])
    models.close()


async def test_a_caller_who_leaves_stops_a_download_only_when_nobody_else_wants_it() -> None:
    loader = loader_without("a")
    models = manager(loader, budget=100)
    first, second = [asyncio.create_task(use(models, "a")) for _ in range(2)]
    await until(lambda: waiting(models) == 2)
    first.cancel()
    await asyncio.wait([first])
    loader.bytes_arrive.release(1)
    assert waiting(models) == 1
    second.cancel()
    await asyncio.wait([second])
    loader.bytes_arrive.release(2)
    await until(lambda: not fetch_threads())
    assert loader.away == {"a"}
    third = asyncio.create_task(use(models, "a"))
    loader.bytes_arrive.release(3)
    await third
    assert loader.loads == ["a"]
    models.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(NotFound("fetching is off"), NotFound), (Unavailable("no network"), Unavailable), (KeyError("x"), Broken)],
)
async def test_a_failed_download_reaches_all_who_wait_for_it(raised: Exception, expected: type[Exception]) -> None:
    class Failing(FakeLoader):
        def fetch(self, card: ModelCard, progress: Progress | None = None) -> None:
            assert self.gate.wait(10)
            raise raised

    loader = Failing(a=10, b=10)
    loader.away = {"a"}
    loader.gate.clear()
    models = manager(loader, budget=100)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(2)]
    await until(lambda: waiting(models) == 2)
    loader.gate.set()
    done = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(error) for error in done] == [expected] * 2
    assert (waiting(models), loader.loads) == (0, [])
    models.close()


async def test_those_who_wait_for_downloads_are_bounded_too() -> None:
    loader = loader_without("a")
    models = manager(loader, budget=100, most_waiting=2)
    callers = [asyncio.create_task(use(models, "a")) for _ in range(2)]
    await until(lambda: waiting(models) == 2)
    with pytest.raises(Unavailable, match="2 callers already wait for downloads"):
        await use(models, "a")
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    assert waiting(models) == 0
    loader.bytes_arrive.release(1)
    models.close()
    assert not fetch_threads()


async def test_closing_refuses_who_waits_for_a_download_and_ends_it() -> None:
    loader = loader_without("a")
    models = manager(loader, budget=100)
    caller = asyncio.create_task(use(models, "a"))
    await until(lambda: waiting(models) == 1)
    closing = asyncio.create_task(asyncio.to_thread(models.close))
    with pytest.raises(Unavailable, match="shut down"):
        await caller
    loader.bytes_arrive.release(1)
    await closing
    assert not fetch_threads()
    assert loader.away == {"a"}
    with pytest.raises(Unavailable, match="shut down"):
        await use(models, "a")
