"""A loader and an engine that keep their ports' promises without torch, and remember what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm.catalog import Catalog, Entry
from llm.engine.base import Done, Event, Request, Room, Token
from llm.engine.bridge import EventStream
from llm.leasing.line import Patience
from llm.loading.base import Loaded, Progress
from llm.manager import ModelManager
from llm.vram import FixedMeter, Memory, Meter
from state.models import ModelCard, Strategy


def card(name: str, **fields: Any) -> ModelCard:
    return ModelCard(**{"name": name, "path": name, "context_length": 100, "parameters": 1000, **fields})


def catalog(*names: str, **fields: dict[str, Any]) -> Catalog:
    """`fields`: of single cards, by name."""
    return Catalog({name: Entry(card(name, **fields.get(name, {})), Path(name)) for name in names})


class FakeEngine:
    """Answers each request with one token at once."""

    def __init__(self, loaded: Loaded, room: Room) -> None:
        self.room = room
        self.closed = False

    def submit(self, request: Request) -> EventStream:
        stream = EventStream()
        events: list[Event] = [Token("x", 1), Done("stop", len(request.prompt), 1)]
        for event in events:
            stream.put(event)
        return stream

    def close(self) -> None:
        self.closed = True


class FakeLoader:
    """`sizes`: bytes by name. A load waits for `gate`; `before_load` may raise; `loads` lists what was loaded.

    `kv`: bytes a token by name, 0 for others. Names in `away` are fetched first: a fetch tells its progress for each
    permit of `bytes_arrive` and ends with the third.
    """

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.real_sizes = dict(sizes)
        self.kv: dict[str, int] = {}
        self.away: set[str] = set()
        self.bytes_arrive = threading.Semaphore(0)
        self.fetches: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.before_load: Callable[[ModelCard], None] = lambda _: None
        self.loads: list[str] = []
        self.looks: list[str] = []
        self._at_once = threading.Lock()
        self._fetching = threading.Lock()

    def is_here(self, card: ModelCard) -> bool:
        self.looks.append(card.name)
        return card.name not in self.away

    def fetch(self, card: ModelCard, progress: Progress | None = None) -> None:
        with self._fetching:
            if card.name not in self.away:
                return
            self.fetches.append(card.name)
            for number in range(3):
                assert self.bytes_arrive.acquire(timeout=10)
                if progress is not None:
                    progress(number, 3)
            self.away.discard(card.name)

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        return self.sizes[card.name]

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        return self.kv.get(card.name, 0)

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        assert self._at_once.acquire(blocking=False), "two loads at once"
        try:
            self.started.set()
            assert self.gate.wait(10)
            self.before_load(card)
            self.loads.append(card.name)
            size, kv = self.real_sizes[card.name], self.kv.get(card.name, 0)
            return Loaded(card, strategy, object(), object(), size, kv)  # type: ignore[arg-type]
        finally:
            self._at_once.release()

    def codec(self, card: ModelCard) -> Any:
        return object()

    def free(self) -> None:
        pass


def manager(
    loader: FakeLoader,
    *,
    budget: int,
    keep_alive: float = -1,
    most_waiting: int = 64,
    patience: Patience | None = None,
    cards: dict[str, dict[str, Any]] | None = None,
    engine: Callable[[Loaded, Room], Any] = FakeEngine,
    meter: Meter | None = None,
) -> ModelManager:
    """`patience` None: nobody is spared after its use. `cards`: fields of single cards, by name."""
    return ModelManager(
        catalog(*loader.sizes, **(cards or {})),
        loader,
        engine,
        meter or FixedMeter(Memory(ram_total=10**9, ram_free=10**9)),
        budget_bytes=budget,
        keep_alive=keep_alive,
        most_waiting=most_waiting,
        patience=patience or Patience(hold=0),
    )
