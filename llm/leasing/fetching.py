"""Downloads on behalf of callers: one per model, in a thread of its own, stopped when the last who wants it has left.

Neither the load worker nor the pool that everybody's short blocking calls share is held up by one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from llm.failures import broken
from llm.loading.base import Loader
from state.errors import LabError, Unavailable
from state.models import ModelCard

CLOSE_SEC = 10.0
"""How long `close` waits for a download's thread: it notices at its next piece of data, or when its socket gives up."""


@dataclass(eq=False)
class _Flight:
    """One download. Whoever waits has a future of its own, so that leaving touches nobody else."""

    waiters: list[Future[None]] = field(default_factory=list)
    thread: threading.Thread | None = None
    unwanted: bool = False


class Fetches:
    """All downloads that callers wait for now."""

    def __init__(self, loader: Loader, *, most_waiting: int) -> None:
        self._loader = loader
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}
        self._threads: set[threading.Thread] = set()
        self._closing = False

    @property
    def waiting(self) -> int:
        """Callers who wait for a download."""
        with self._lock:
            return self._count()

    @contextmanager
    def join(self, card: ModelCard) -> Iterator[Future[None]]:
        """A future that ends with the download, which is begun if none is under way. Leaving stops caring for it.

        Raises Unavailable when too many wait or everything is being closed.
        """
        future: Future[None] = Future()
        flight = self._enter(card, future)
        try:
            yield future
        finally:
            self._leave(card.name, flight, future)

    def close(self) -> None:
        """Refuse who waits and end the threads, within `CLOSE_SEC` seconds together with their network."""
        with self._lock:
            self._closing = True
            flights, threads = list(self._flights.items()), list(self._threads)
            waiters = [future for name, flight in flights for future in self._forget(name, flight)]
        _finish(waiters, Unavailable("models are being shut down"))
        for thread in threads:
            thread.join(CLOSE_SEC)

    def _count(self) -> int:
        return sum(len(flight.waiters) for flight in self._flights.values())

    def _enter(self, card: ModelCard, future: Future[None]) -> _Flight:
        with self._lock:
            if self._closing:
                raise Unavailable("models are being shut down")
            if self._count() >= self._most_waiting:
                raise Unavailable(f"{self._most_waiting} callers already wait for downloads; ask again later")
            flight = self._flights.setdefault(card.name, _Flight())
            flight.waiters.append(future)
            if flight.thread is None:
                flight.thread = threading.Thread(
                    target=self._run, args=(card, flight), name=f"fetch-{card.name}", daemon=True
                )
                flight.thread.start()
                self._threads = {thread for thread in self._threads if thread.is_alive()} | {flight.thread}
            return flight

    def _leave(self, name: str, flight: _Flight, future: Future[None]) -> None:
        with self._lock:
            if future in flight.waiters:
                flight.waiters.remove(future)
            if not flight.waiters:
                self._forget(name, flight)

    def _forget(self, name: str, flight: _Flight) -> list[Future[None]]:
        """Nobody joins this flight any more; returns who still waits for it."""
        flight.unwanted = True
        if self._flights.get(name) is flight:
            del self._flights[name]
        waiters, flight.waiters = flight.waiters, []
        return waiters

    def _run(self, card: ModelCard, flight: _Flight) -> None:
        def go_on(done_bytes: int, total_bytes: int) -> None:
            if flight.unwanted:
                raise Unavailable(f"the download of {card.name} was left at {done_bytes:,} of {total_bytes:,} bytes")

        error: Exception | None = None
        try:
            self._loader.fetch(card, go_on)
        except LabError as known:
            error = known
        # The thread's edge: whatever a download raises reaches those who wait for it.
        except Exception as unknown:
            error = broken(f"fetching {card.name} failed", unknown)
        with self._lock:
            waiters = self._forget(card.name, flight)
        _finish(waiters, error)


def _finish(waiters: list[Future[None]], error: Exception | None) -> None:
    for future in waiters:
        if not future.set_running_or_notify_cancel():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
