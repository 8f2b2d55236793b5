"""A loader and an engine that keep their ports' promises without torch, and remember what was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm.catalog import Catalog, Entry
from llm.engine.base import Done, Event, Request, Room, Token
from llm.engine.bridge import EventStream
from llm.loading.base import Loaded
from llm.manager import ModelManager
from llm.vram import FixedMeter, Memory
from state.models import ModelCard, Strategy


def card(name: str, **fields: Any) -> ModelCard:
    return ModelCard(**{"name": name, "path": name, "context_length": 100, "parameters": 1000, **fields})


def catalog(*names: str) -> Catalog:
    return Catalog({name: Entry(card(name), Path(name)) for name in names})


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
    """`sizes`: bytes by name. A load waits for `gate`; `before_load` may raise; `loads` lists what was loaded."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes
        self.real_sizes = dict(sizes)
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.before_load: Callable[[ModelCard], None] = lambda _: None
        self.loads: list[str] = []
        self._at_once = threading.Lock()

    def is_here(self, card: ModelCard) -> bool:
        return True

    def bytes_needed(self, card: ModelCard, strategy: Strategy) -> int:
        return self.sizes[card.name]

    def kv_bytes_per_token(self, card: ModelCard) -> int:
        return 0

    def load(self, card: ModelCard, strategy: Strategy) -> Loaded:
        assert self._at_once.acquire(blocking=False), "two loads at once"
        try:
            self.started.set()
            assert self.gate.wait(10)
            self.before_load(card)
            self.loads.append(card.name)
            return Loaded(card, strategy, object(), object(), self.real_sizes[card.name])  # type: ignore[arg-type]
        finally:
            self._at_once.release()

    def codec(self, card: ModelCard) -> Any:
        return object()

    def free(self) -> None:
        pass


def manager(loader: FakeLoader, *, budget: int, keep_alive: float = -1, most_waiting: int = 64) -> ModelManager:
    meter = FixedMeter(Memory(ram_total=10**9, ram_free=10**9))
    return ModelManager(
        catalog(*loader.sizes),
        loader,
        FakeEngine,
        meter,
        budget_bytes=budget,
        keep_alive=keep_alive,
        most_waiting=most_waiting,
    )
