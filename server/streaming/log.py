"""What a run of this process has said so far: held for listeners here, written to Postgres in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from server.db.leases import Lease
from server.run_queue.shapes import Ending
from server.streaming.frames import Frame

MOST_FRAMES = 10_000
MOST_BYTES = 8_000_000
"""Written frames beyond these are dropped from memory; a listener so far behind reads the log."""


class RunLog:
    """The events of one attempt of one run. Used from one event loop; written by the worker, read by any number."""

    def __init__(self, tenant: str, lease: Lease, first_seq: int, *, careful: bool = True) -> None:
        """`first_seq` is that of the first event to come; `careful` logs are heard only as far as they are written."""
        self.tenant = tenant
        self.careful = careful
        self.lease = lease
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._next = first_seq
        self.written = first_seq - 1
        """Up to here the log in Postgres has them."""
        self.lost = False
        """Another worker has taken the run over; what was not written never was said."""
        self.closed = asyncio.Event()
        self.ending: Ending | None = None
        """How the run ended, where it was recorded as such by this worker; known when the log is closed."""
        self.over = False
        """What is left is written with the run's end, by who records that."""
        self.writing = asyncio.Lock()
        """Held while events of it are written: two at once would write some twice and others never."""
        self.handing = asyncio.Lock()
        """Held while a commit waits for the events before it: such commits are made in the order they came."""
        self.handed = first_seq - 1
        """Up to here they are written, or are being written now."""
        self._changed = asyncio.Event()

    @property
    def first(self) -> int:
        """Sequence number of the oldest event still held; of the next one where none is."""
        return self._frames[0].seq if self._frames else self._next

    @property
    def last(self) -> int:
        return self._next - 1

    def say(self, name: str, data: bytes) -> None:
        """Add an event; whoever may hear it before it is written hears it now.

        A name holds names of nodes, which may be any text: line ends would end the event early.
        """
        if not name.isprintable():
            name = "".join(letter if letter.isprintable() else " " for letter in name)
        self._frames.append(Frame(self._next, name, data))
        self._bytes += len(data)
        self._next += 1
        self.wake()

    def already_written(self) -> None:
        """Everything said so far is in Postgres."""
        self.mark_written(self.last)

    def mark_written(self, seq: int) -> None:
        self.written = max(self.written, seq)
        self.handed = max(self.handed, seq)
        while self._frames and self._frames[0].seq <= self.written and self._too_much():
            self._bytes -= len(self._frames.popleft().data)
        self.wake()

    @contextmanager
    def handed_to(self, seq: int) -> Iterator[None]:
        """While events up to `seq` are being written."""
        self.handed = seq
        try:
            yield
        except BaseException:
            self.handed = self.written
            raise

    def unwritten(self) -> Sequence[Frame]:
        missing = self.last - self.written
        return self._newest(missing, 0)

    def after(self, seq: int, *, written_only: bool) -> Sequence[Frame]:
        """What came after `seq`, which must not lie before `first - 1`."""
        to = self.written if written_only else self.last
        if seq >= to:
            return []
        return self._newest(to - seq, self.last - to)

    def _newest(self, count: int, skipped: int) -> Sequence[Frame]:
        """`count` events before the last `skipped` ones. Counted from the end: the new is what is asked for."""
        found = list(islice(reversed(self._frames), skipped, skipped + count))
        found.reverse()
        return found

    def lose(self) -> None:
        """Tell listeners to go on with what Postgres has."""
        self.lost = True
        self.wake()

    def wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        """Until something is said, written or lost after this call."""
        await self._changed.wait()

    def _too_much(self) -> bool:
        return len(self._frames) > MOST_FRAMES or self._bytes > MOST_BYTES
