"""What a model does on this machine, measured through its engine by concurrent callers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from statistics import median

import psutil

from llm.codec import Codec
from llm.engine.base import Done, Engine, Failed, Request
from llm.models import LocalModels
from state.errors import Broken, Unavailable
from state.models import Sampling, Strategy
from state.resources import Holder

LOOK_SEC = 0.05
"""Memory is read this often; a peak between two looks is missed."""

ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .,;:?!"


@dataclass(frozen=True)
class Plan:
    """`callers`: how many ask at once, one measurement each. Tokens are those of each request."""

    callers: tuple[int, ...]
    tokens: int
    prompt_tokens: int
    rounds: int


@dataclass(frozen=True)
class Speed:
    """Medians over the rounds. `tokens_per_sec` is of all callers together, reading the prompts included."""

    callers: int
    tokens_per_sec: float
    first_token_sec: float
    """From the request to its first token, the median of all requests of all rounds."""


@dataclass(frozen=True)
class Figures:
    """Everything that was measured."""

    model: str
    strategy: Strategy
    load_sec: float
    weights_bytes: int
    kv_peak_bytes: int
    """Keys and values that the engine was granted, at most."""
    process_peak_bytes: int
    """Memory of this process, at most: Python and torch are in it."""
    gpu_peak_bytes: int
    """Of the GPU, at most, whoever used it; 0 without one."""
    speeds: list[Speed]


@dataclass
class Peak:
    """Bytes at most, since it began to look."""

    kv: int = 0
    process: int = 0
    gpu: int = 0


async def measure(
    models: LocalModels, name: str, strategy: Strategy, plan: Plan, tell: Callable[[str], None]
) -> Figures:
    """Load the model and measure it. `tell` hears what is being done. Raises as `ModelManager.lease` and the engine.

    Spoils the model for others in this process: none of its answers ends by itself any more.
    """
    tell("reading the tokenizer")
    # It imports torch and transformers, too: seconds that a load in a running process does not take.
    await asyncio.to_thread(models.manager.codec, name)
    tell(f"loading {name}")
    async with models.manager.lease(name, strategy, holder=Holder("lab models bench")) as lease:
        # An answer that ends early would be measured at another length than the one that was asked for.
        lease.loaded.codec.eos_ids = frozenset()
        prompts = Prompts(lease.loaded.codec, plan)
        with _watching(models) as peak:
            tell("a first answer, which is not measured")
            await _round(lease.engine, prompts, 1)
            speeds = [await _measure_callers(lease.engine, prompts, count, plan, tell) for count in plan.callers]
        return Figures(
            name, strategy, lease.load_time_sec, lease.loaded.size_bytes, peak.kv, peak.process, peak.gpu, speeds
        )


class Prompts:
    """Requests of equal length whose prompts have nothing in common, so that no engine knows one already."""

    def __init__(self, codec: Codec, plan: Plan) -> None:
        self._ids = sorted(set(codec.encode(ALPHABET)))
        self._plan = plan
        self._random = Random(0)

    def next(self) -> Request:
        """The next one."""
        prompt = tuple(self._random.choices(self._ids, k=self._plan.prompt_tokens))
        return Request(prompt, Sampling(), self._plan.tokens)


async def _measure_callers(
    engine: Engine, prompts: Prompts, callers: int, plan: Plan, tell: Callable[[str], None]
) -> Speed:
    rates: list[float] = []
    firsts: list[float] = []
    for number in range(plan.rounds):
        tell(f"callers: {callers}, round {number + 1} of {plan.rounds}")
        seconds, ends = await _round(engine, prompts, callers)
        rates.append(sum(end.tokens_generated for end in ends) / seconds)
        firsts += [end.timings.first_token for end in ends if end.timings.first_token is not None]
    return Speed(callers, median(rates), median(firsts))


async def _round(engine: Engine, prompts: Prompts, callers: int) -> tuple[float, list[Done]]:
    """Seconds until all of them have their whole answer, and the ends of the answers."""
    requests = [prompts.next() for _ in range(callers)]
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ask(engine, request)) for request in requests]
    return time.perf_counter() - started, [task.result() for task in tasks]


async def _ask(engine: Engine, request: Request) -> Done:
    handle = engine.submit(request)
    try:
        async for event in handle:
            match event:
                case Failed(error=error):
                    raise error
                case Done(reason="cancelled"):
                    raise Unavailable("the model was unloaded while it answered")
                case Done():
                    return event
    finally:
        handle.cancel()
    raise Broken("an answer had no end")


@contextmanager
def _watching(models: LocalModels) -> Iterator[Peak]:
    """Looks at the memory, in a thread, until the context ends."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        process = psutil.Process()
        while True:
            reading = models.reading()
            peak.kv = max(peak.kv, sum(model.kv_bytes for model in reading.resident))
            peak.process = max(peak.process, process.memory_info().rss)
            peak.gpu = max(peak.gpu, reading.vram_total_bytes - reading.vram_free_bytes)
            if over.wait(LOOK_SEC):
                return

    watcher = threading.Thread(target=look, name="memory-watcher")
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
