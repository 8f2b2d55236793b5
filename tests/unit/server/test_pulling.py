"""Downloads for clients: what is told, how one is left, how many there may be. The loader fetches nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from llm.catalog import Catalog, Entry
from llm.loading.base import Progress
from llm.models import LocalModels
from server.pulling import MOST_PULLS, THREAD, pull
from state.errors import BadRequest, Broken, NotFound, Unavailable
from state.models import ModelCard
from tests.unit.llm.fakes import FakeLoader, card, manager
from tests.unit.llm.test_manager import until

FAR = ModelCard(name="far", provider="openai", model_id="far", context_length=10)


@pytest.fixture
def loader() -> FakeLoader:
    loader = FakeLoader(here=10, away=10)
    loader.away = {"away"}
    return loader


def open_models(loader: FakeLoader, folder: Path) -> LocalModels:
    entries = {name: Entry(card(name), folder) for name in loader.sizes}
    catalog = Catalog({**entries, "far": Entry(FAR, None)})
    return LocalModels(catalog, loader, manager(loader, budget=100), default_model="here")


@pytest.fixture
async def models(loader: FakeLoader, tmp_path: Path) -> AsyncIterator[LocalModels]:
    with open_models(loader, tmp_path) as opened:
        yield opened
        loader.bytes_arrive.release(10 * MOST_PULLS)
        await until(lambda: pulling() == 0)


def pulling() -> int:
    return sum(thread.name.startswith(THREAD) for thread in threading.enumerate())


async def test_progress_is_told_then_the_model(models: LocalModels, loader: FakeLoader) -> None:
    events = []
    async with aclosing(pull(models, "away")) as pulled:
        loader.bytes_arrive.release(1)
        async for event in pulled:
            events.append(event)
            loader.bytes_arrive.release(1)
    assert [event.name for event in events[-2:]] == ["progress", "result"]
    assert events[0].data == {"name": "away", "done_bytes": 0, "total_bytes": 3}
    assert [event.data["done_bytes"] for event in events[:-1]] == sorted({e.data["done_bytes"] for e in events[:-1]})
    assert events[-1].data["name"] == "away" and events[-1].data["here"]


async def test_a_model_that_is_here_has_no_progress(models: LocalModels) -> None:
    assert [event.name async for event in pull(models, "here")] == ["result"]


async def test_leaving_ends_the_thread_at_its_next_byte(models: LocalModels, loader: FakeLoader) -> None:
    loader.bytes_arrive.release(1)
    async with aclosing(pull(models, "away")) as pulled:
        assert (await anext(pulled)).name == "progress"
        assert pulling() == 1
    loader.bytes_arrive.release(1)
    await until(lambda: pulling() == 0)
    assert loader.away == {"away"}, "it was not fetched to its end"


async def test_cancelling_leaves_too(models: LocalModels, loader: FakeLoader) -> None:
    task = asyncio.create_task(anext(pull(models, "away")))
    await until(lambda: pulling() == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    loader.bytes_arrive.release(1)
    await until(lambda: pulling() == 0)
    assert loader.away == {"away"}


@pytest.mark.parametrize(("name", "kind", "said"), [("no", NotFound, "Known models"), ("far", BadRequest, "remote")])
async def test_what_cannot_be_fetched_is_refused(
    models: LocalModels, name: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await anext(pull(models, name))


class BuggyLoader(FakeLoader):
    def fetch(self, card: ModelCard, progress: Progress | None = None) -> None:
        raise ZeroDivisionError


async def test_a_bug_is_told_as_one(tmp_path: Path) -> None:
    with (
        open_models(BuggyLoader(here=10), tmp_path) as models,
        pytest.raises(Broken, match="fetching here failed: ZeroDivisionError"),
    ):
        await anext(pull(models, "here"))


async def test_there_are_only_so_many_at_once(models: LocalModels, loader: FakeLoader) -> None:
    waiting = [asyncio.create_task(anext(pull(models, "away"))) for _ in range(MOST_PULLS)]
    await until(lambda: pulling() == MOST_PULLS)
    with pytest.raises(Unavailable, match=f"{MOST_PULLS} downloads"):
        await anext(pull(models, "here"))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
