"""Events from the thread that owns torch to whoever reads them: a thread or an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from llm.engine.base import Done, Event, Failed


class EventStream:
    """A `Handle`: events put in by the engine, taken out by one reader.

    The reader registers a wake-up only when there is nothing to take, so a burst of tokens costs one
    `call_soon_threadsafe` (0.5 µs a token against 5.6 for a call each, DESIGN.md section 1).
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._wake: Callable[[], object] | None = None
        self._cancelled = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Read by the engine at every step."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        self._cancelled.set()

    def put(self, event: Event) -> None:
        """Hand over an event, from the engine's thread. A reader whose event loop is closed has left."""
        with self._lock:
            self._events.append(event)
            wake, self._wake = self._wake, None
        if wake is None:
            return
        try:
            wake()
        except RuntimeError:  # the loop closed while its reader waited: nobody will ever read this
            self.cancel()

    def __iter__(self) -> Iterator[Event]:
        ended = False
        while not ended:
            ready = threading.Event()
            if self._must_wait(ready.set):
                ready.wait()
            for event in self._take():
                ended = ended or isinstance(event, Done | Failed)
                yield event

    async def __aiter__(self) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        ended = False
        while not ended:
            ready = asyncio.Event()
            if self._must_wait(lambda ready=ready: loop.call_soon_threadsafe(ready.set)):  # type: ignore[misc]
                await ready.wait()
            for event in self._take():
                ended = ended or isinstance(event, Done | Failed)
                yield event

    def _must_wait(self, wake: Callable[[], object]) -> bool:
        with self._lock:
            if self._events:
                return False
            self._wake = wake
            return True

    def _take(self) -> list[Event]:
        with self._lock:
            events = list(self._events)
            self._events.clear()
            return events
