"""What the manager's callers and its worker hand to each other: tickets, leases, and the state under the one lock."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

from llm.cache import Key, ModelCache, Slot
from llm.codec import Codec
from llm.engine.base import Engine
from llm.loading.base import Loaded


@dataclass(frozen=True)
class Running:
    """A loaded model and the engine that runs it."""

    loaded: Loaded
    engine: Engine
    load_time_sec: float


@dataclass(frozen=True)
class Lease:
    """A model that will not leave while this is held. Keep nothing of it afterwards: it would hold the memory."""

    loaded: Loaded
    engine: Engine
    cache_hit: bool
    load_time_sec: float
    """Seconds the load took that this caller waited for; 0 on a hit."""
    wait_sec: float
    """Seconds this caller waited besides: for room, or for other loads."""


@dataclass(eq=False)
class Ticket:
    """A caller's claim. `slot` is set, under the manager's lock, in the moment its lease is counted."""

    key: Key
    asked: float
    wanted: int
    future: Future[None] = field(default_factory=Future)
    slot: Slot[Running] | None = None
    cache_hit: bool = False


@dataclass
class Shared:
    """Whoever reads or writes it holds `changed`, shortly, and notifies it of changes."""

    cache: ModelCache[Running]
    changed: threading.Condition = field(default_factory=threading.Condition)
    pending: dict[Key, list[Ticket]] = field(default_factory=dict)
    """Who waits for a load, in the order in which the models were first asked for."""
    leaving: list[Slot[Running]] = field(default_factory=list)
    """Marked as leaving by a caller, to be unloaded by the worker."""
    codecs: dict[str, Codec] = field(default_factory=dict)
    closing: bool = False

    @property
    def waiting(self) -> int:
        return sum(map(len, self.pending.values()))
