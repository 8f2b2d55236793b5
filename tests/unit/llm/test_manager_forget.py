"""A model that is taken out of the catalogue: it leaves the memory, and nobody waits for it in vain."""

import asyncio
from typing import Any

import pytest

from llm.catalog import Catalog
from llm.leasing.line import Patience
from llm.manager import ModelManager
from llm.vram import FixedMeter, Memory
from state.errors import NotFound
from tests.unit.llm.fakes import FakeEngine, FakeLoader, card, catalog
from tests.unit.llm.test_manager import names, until, use, waiting

ADDED: dict[str, Any] = {"path": None, "repo": "owner/b", "revision": "0" * 40}


def make(loader: FakeLoader) -> tuple[ModelManager, Catalog]:
    """A manager with `a` from a file and `b` that was added."""
    cards = catalog("a")
    cards.add(card("b", **ADDED))
    meter = FixedMeter(Memory(ram_total=10**9, ram_free=10**9))
    patience = Patience(hold=0)
    return ModelManager(cards, loader, FakeEngine, meter, budget_bytes=100, keep_alive=-1, patience=patience), cards


async def test_an_idle_model_leaves_at_once_pinned_or_not() -> None:
    models, cards = make(FakeLoader(a=10, b=10))
    models.pin("b")
    codec = models.codec("b")
    cards.remove("b")
    models.forget("b")
    assert names(models) == []
    cards.add(card("b", **ADDED))
    assert models.codec("b") is not codec
    await use(models, "b")
    assert not models.get_memory_stats().resident[0].pinned
    models.close()


async def test_a_model_in_use_leaves_after_its_last_call() -> None:
    models, cards = make(FakeLoader(a=10, b=10))
    async with models.lease("b"):
        cards.remove("b")
        models.forget("b")
        assert names(models) == ["b"]
        with pytest.raises(NotFound):
            await use(models, "b")
    await until(lambda: names(models) == [])
    models.check_integrity()
    models.close()


async def test_who_waits_in_line_for_it_is_told_and_the_others_are_served() -> None:
    loader = FakeLoader(a=60, b=60)
    models, cards = make(loader)
    async with models.lease("a"):
        late = asyncio.create_task(use(models, "b"))
        await until(lambda: waiting(models) == 1)
        cards.remove("b")
    with pytest.raises(NotFound, match="no model named 'b'"):
        await late
    await use(models, "a")
    assert loader.loads.count("b") == 0
    models.close()
