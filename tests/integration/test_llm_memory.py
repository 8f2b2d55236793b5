"""Weights and KV of real models under one budget: who leaves, who waits, and that nobody answers as another."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import torch

from llm.catalog import Catalog
from llm.engine.base import Done, Event, Failed, Request, Token
from llm.engines import open_engine
from llm.leasing.line import Patience
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.vram import FixedMeter, Memory
from state.errors import NoMemory
from state.models import Sampling
from state.resources import Resident
from tests.unit.llm.tiny import make_catalog

NAMES = ("tiny", "b", "c", "d", "e")
PROMPTS = ("hello", "a longer prompt than that, so that its rows are of another length", "x" * 200)
WINDOW = 512


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    torch.set_num_threads(1)
    return make_catalog(tmp_path_factory.mktemp("memory"), NAMES)


@pytest.fixture(scope="module")
def weights(cards: Catalog) -> int:
    """As they are once loaded: with the buffers, which no header tells of."""
    return LocalLoader(cards, "cpu", "float32").load(cards.card("tiny"), "standard").size_bytes


@pytest.fixture(scope="module")
def per_token(cards: Catalog) -> int:
    return LocalLoader(cards, "cpu", "float32").kv_bytes_per_token(cards.card("tiny"))


def open_manager(cards: Catalog, budget: int, patience: Patience | None = None) -> ModelManager:
    meter = FixedMeter(Memory(ram_total=2**34, ram_free=2**34))
    loader = LocalLoader(cards, "cpu", "float32")
    patience = patience or Patience(hold=0, turn=0.2, most=20)
    return ModelManager(cards, loader, open_engine, meter, budget_bytes=budget, keep_alive=-1, patience=patience)


@pytest.fixture(scope="module")
def alone(cards: Catalog) -> Iterator[dict[tuple[str, str], str]]:
    """What each model says to each prompt when nothing else is in memory."""
    said = {}
    for name in NAMES:
        models = open_manager(cards, 2**30)
        for prompt in PROMPTS:
            with models.lease_sync(name) as lease:
                said[name, prompt] = text(list(lease.engine.submit(request(lease.loaded.codec.encode(prompt)))))
        models.close()
    assert len(set(said.values())) == len(said)
    yield said


def request(prompt: list[int], tokens: int = 12) -> Request:
    return Request(tuple(prompt), Sampling(), max_tokens=tokens)


def text(events: list[Event]) -> str:
    failed = next((event.error for event in events if isinstance(event, Failed)), None)
    if failed is not None:
        raise failed
    return "".join(event.text for event in events if isinstance(event, Token))


def resident(models: ModelManager, name: str) -> Resident:
    return next(model for model in models.get_memory_stats().resident if model.name == name)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_model_takes_its_weights_and_room_for_the_kv_of_its_window(
    cards: Catalog, weights: int, per_token: int
) -> None:
    assert per_token > 0
    models = open_manager(cards, 2**30)
    models.load_model("tiny")
    assert (resident(models, "tiny").size_bytes, resident(models, "tiny").kv_bytes) == (weights, per_token * WINDOW)
    models.close()


def test_a_small_budget_leaves_less_kv_and_a_smaller_one_is_refused_with_numbers(
    cards: Catalog, weights: int, per_token: int
) -> None:
    models = open_manager(cards, weights + 300 * per_token)
    models.load_model("tiny")
    assert resident(models, "tiny").kv_bytes == 300 * per_token
    with models.lease_sync("tiny") as lease:
        assert text(list(lease.engine.submit(request([1, 2, 3])))) != ""
        with pytest.raises(NoMemory):
            text(list(lease.engine.submit(request([1] * 400, tokens=64))))
    models.check_integrity()
    models.close()
    models = open_manager(cards, weights + 255 * per_token)
    with pytest.raises(NoMemory, match=r"tiny \(standard\) needs .* of that for KV\) and can never fit"):
        models.load_model("tiny")
    models.close()


async def test_running_answers_make_idle_models_leave_and_give_back_what_they_took(
    cards: Catalog, weights: int, per_token: int
) -> None:
    """Six requests of nearly a window each take more KV than the floor holds."""
    models = open_manager(cards, 2 * (weights + WINDOW * per_token) + 100)
    await asyncio.to_thread(models.load_model, "b")
    async with models.lease("tiny") as lease:
        asked = [lease.engine.submit(request([1 + n] * 400, tokens=64)) for n in range(6)]
        done = await asyncio.gather(*(read(handle) for handle in asked))
        assert all(isinstance(events[-1], Done) for events in done)
        models.check_integrity()
    assert [model.name for model in models.get_memory_stats().resident] == ["tiny"]
    assert models.get_memory_stats().evictions == 1
    await until(lambda: resident(models, "tiny").kv_bytes == WINDOW * per_token)
    await asyncio.to_thread(models.load_model, "b")
    assert models.get_memory_stats().loads == 3
    models.check_integrity()
    models.close()


async def read(handle: object) -> list[Event]:
    return [event async for event in handle]  # type: ignore[attr-defined]


async def test_five_models_with_room_for_two_answer_as_if_each_were_alone(
    cards: Catalog, weights: int, per_token: int, alone: dict[tuple[str, str], str]
) -> None:
    """8 callers, 64 leases, some cancelled: each answer is the model's own, byte for byte."""
    models = open_manager(cards, 2 * (weights + WINDOW * per_token) + 200 * per_token)
    counts: Counter[str] = Counter()
    wrongs: list[object] = []

    def judge(name: str, prompt: str, said: str) -> None:
        counts["answered"] += 1
        if said != alone[name, prompt]:
            wrongs.append((name, prompt, said))
        models.check_integrity()

    async def ask(name: str, prompt: str) -> None:
        async with models.lease(name) as lease:
            handle = lease.engine.submit(request(lease.loaded.codec.encode(prompt)))
            try:
                judge(name, prompt, text(await read(handle)))
            finally:
                handle.cancel()

    async def caller(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(8):
            task = asyncio.create_task(ask(dice.choice(NAMES), dice.choice(PROMPTS)))
            if dice.random() < 0.25:
                await asyncio.sleep(dice.random() / 20)
                task.cancel()
            await asyncio.wait([task])
            counts["cancelled"] += task.cancelled()
            if not task.cancelled() and task.exception() is not None:
                wrongs.append(task.exception())

    def plain(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(8):
            name, prompt = dice.choice(NAMES), dice.choice(PROMPTS)
            try:
                with models.lease_sync(name) as lease:
                    judge(name, prompt, text(list(lease.engine.submit(request(lease.loaded.codec.encode(prompt))))))
            except Exception as error:
                wrongs.append(error)

    threads = [threading.Thread(target=plain, args=(100 + number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(120):
        await asyncio.gather(*(caller(number) for number in range(5)))
        await until_ended(threads)
    assert wrongs == []
    assert counts["answered"] > 40
    assert models.get_memory_stats().evictions > 5
    await asyncio.to_thread(models.close)
    models.check_integrity()
    assert models.get_memory_stats().resident == ()


async def until_ended(threads: list[threading.Thread]) -> None:
    while any(thread.is_alive() for thread in threads):
        await asyncio.sleep(0.01)
