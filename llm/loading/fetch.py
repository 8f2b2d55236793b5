"""Many callers, one download: who asks for a model that is being fetched waits for that and hears of its progress."""

from __future__ import annotations

import threading
from collections.abc import Callable

from llm.loading.base import Progress
from state.errors import LabError

TICK_SECONDS = 1.0
"""How often a waiting caller is told, and can so leave, while nothing arrives."""


class Flight:
    """One download under way."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state = (0, 0)
        self._ended = False
        self._error: LabError | None = None
        self._deserted = False

    def tell(self, done: int, total: int) -> None:
        """Tell those who wait."""
        with self._changed:
            self._state = (done, total)
            self._changed.notify_all()

    def end(self, error: LabError | None = None, *, deserted: bool = False) -> None:
        """Release those who wait. `deserted`: its caller left, so that somebody else goes on."""
        with self._changed:
            self._ended, self._error, self._deserted = True, error, deserted
            self._changed.notify_all()

    def follow(self, progress: Progress) -> bool:
        """Wait for its end. Returns False when it was deserted; raises its error, and what `progress` raises."""
        while True:
            with self._changed:
                if not self._ended:
                    self._changed.wait(TICK_SECONDS)
                ended, state = self._ended, self._state
            if ended:
                break
            progress(*state)
        if self._error is not None:
            # An error of one's own: a shared one would collect the frames of all who raise it.
            raise type(self._error)(*self._error.args) from self._error
        return not self._deserted


class Flights:
    """Downloads by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}

    def join(self, name: str, download: Callable[[Progress], None], progress: Progress) -> None:
        """Have `download` done by this caller, or wait for the one who is doing it and share what comes of it."""
        while True:
            with self._lock:
                flight = self._flights.get(name)
                own = None if flight else self._flights.setdefault(name, Flight())
            if own is not None:
                self._lead(name, own, download, progress)
                return
            if flight is not None and flight.follow(progress):
                return

    def _lead(self, name: str, flight: Flight, download: Callable[[Progress], None], progress: Progress) -> None:
        leaving = False

        def tell(done: int, total: int) -> None:
            nonlocal leaving
            flight.tell(done, total)
            leaving = True  # unless it returns
            progress(done, total)
            leaving = False

        error: LabError | None = None
        finished = False
        try:
            download(tell)
            finished = True
        except LabError as caught:
            error = caught
            raise
        finally:
            with self._lock:
                del self._flights[name]
            shared = None if leaving else error
            flight.end(shared, deserted=not finished and shared is None)
