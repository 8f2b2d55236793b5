"""Who listens to which run: from memory where it runs in this process, from Postgres where it does not or did."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID
from weakref import WeakValueDictionary

from server.background import running
from server.db.leases import Lease
from server.db.run_events import RunEvents
from server.run_queue.shapes import Run
from server.streaming.frames import END, Frame
from server.streaming.log import RunLog
from state.errors import LabError, LostLease

GATHER_SECONDS = 0.01
"""Events said within this time of each other are written together."""
IDLE_GATHER_SECONDS = 0.05
"""The same where nobody waits for them to be written: all who may listen are here, and none to a run that resumes."""
LOOK_SECONDS = 1.0
"""How often a listener looks by itself at a run of another process; a notice makes it look at once."""

log = logging.getLogger(__name__)


class Hub:
    """One a process. Use `open_hub`."""

    def __init__(self, events: RunEvents) -> None:
        self._events = events
        self._logs: dict[UUID, RunLog] = {}
        self._unwritten: set[RunLog] = set()
        self._ahead: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        # An event nobody waits for any more goes by itself.
        self._word: WeakValueDictionary[UUID, asyncio.Event] = WeakValueDictionary()
        self._readers: Counter[UUID] = Counter()
        self.leaving = False
        self.peers = 0
        """Other processes that live; told by the worker's heartbeat. Without any, nobody is notified."""
        self.on_lost: Callable[[Lease], None] = _nobody
        """Told of a run whose events are refused: another worker has it."""

    def open(self, tenant: str, lease: Lease, first_seq: int, *, careful: bool = True) -> RunLog:
        """The log of a run that this process begins to work on. `careful`: it is heard only as far as it is written."""
        opened = RunLog(tenant, lease, first_seq, careful=careful)
        self._logs[lease.run_id] = opened
        self.tell(lease.run_id)
        return opened

    def close(self, closing: RunLog) -> None:
        """Forget a log whose run has ended or was given up; whoever reads it now still does."""
        if self._logs.get(closing.lease.run_id) is closing:
            del self._logs[closing.lease.run_id]
        self._unwritten.discard(closing)
        closing.closed.set()
        closing.wake()
        self.tell(closing.lease.run_id)

    def say(self, to: RunLog, name: str, data: bytes) -> None:
        """Add an event to a run's log; it is written soon, and heard at once where that is allowed."""
        to.say(name, data)
        self._unwritten.add(to)
        self._awake.set()

    async def write(self, one: RunLog) -> None:
        """Write what the log has now. Raises LostLease, NoDatabase."""
        if one.over:  # else the logs of all runs would wait with it for its thread's row
            return
        async with one.writing:
            frames = one.unwritten()
            if frames:
                with one.handed_to(frames[-1].seq):
                    await self._events.add(one.tenant, one.lease, frames, tell=self.peers > 0)
                one.mark_written(frames[-1].seq)

    async def hand_in(self, one: RunLog) -> None:
        """Begin to write what the log has now. A commit that is handed in after this call, before anything else is
        awaited, is not made before these events are: a step that is kept is told, wherever this process dies."""
        async with one.handing:
            while one.last > one.handed and one.writing.locked():
                async with one.writing:
                    pass
            if one.last > one.handed and not one.lost:
                task = asyncio.create_task(self._write_or_lose(one), name="events ahead of a step")
                self._ahead.add(task)
                task.add_done_callback(self._ahead.discard)
                # Until it has handed in: its first turn of the event loop.
                await asyncio.sleep(0)

    def tell(self, run_id: UUID) -> None:
        """There may be news of a run: from this process or another."""
        word = self._word.pop(run_id, None)
        if word is not None:
            word.set()

    def heard(self, payload: str) -> None:
        """A notice of `notices.EVENTS`."""
        for text in payload.split(","):
            with suppress(ValueError):
                self.tell(UUID(text))

    def log_of(self, run_id: UUID) -> RunLog | None:
        """Of a run that is at work in this process."""
        return self._logs.get(run_id)

    def listen(self, run_id: UUID) -> asyncio.Event:
        """Word of a run, from now on: set when there may be news. To be asked for before looking."""
        word = self._word.get(run_id)
        if word is None:
            word = self._word[run_id] = asyncio.Event()
        return word

    def dismiss(self) -> None:
        """Let every listener go: this process stops. They come again, here or to another, after their last event."""
        self.leaving = True
        for log in list(self._logs.values()):
            log.wake()
        for word in list(self._word.values()):
            word.set()

    async def until(self, news: asyncio.Event) -> None:
        """Until there may be news, or it is time to look."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await news.wait()

    async def read(self, tenant: str, run: Run, after: int | None) -> AsyncGenerator[Sequence[Frame], None]:
        """The run's events in order, in pieces as they come, to the last one; no database connection is held between.

        `after`: None for what comes from now on, 0 for everything, n for what came after event n. A run that can be
        resumed is heard only as far as it is written: what was heard can be heard again after a crash. Ends early where
        the run is deleted. Raises NoDatabase.
        """
        self._readers[run.run_id] += 1
        try:
            async for frames in self._read(tenant, run, after):
                yield frames
        finally:
            self._readers[run.run_id] -= 1
            if not self._readers[run.run_id]:
                del self._readers[run.run_id]

    async def _read(self, tenant: str, run: Run, after: int | None) -> AsyncIterator[Sequence[Frame]]:
        here = self._logs.get(run.run_id)
        if after is None or after > 0:
            # Who names an event that is not there yet would wait for it for ever.
            last = here.last if here is not None else await self._events.last_seq(tenant, run.run_id)
            after = last if after is None else min(after, last)
            if here is None and after == last and await self._has_ended(tenant, run.run_id, last):
                return
        while not self.leaving:
            here = self._logs.get(run.run_id, here)
            if here is not None and not here.lost and after >= here.first - 1:
                frames = here.after(after, written_only=run.resumable)
                if not frames and self._logs.get(run.run_id) is here:
                    await here.change()
                    continue
                if not frames:
                    here = None
                    continue
            else:
                if here is not None and here.lost:
                    # What it said and did not write was never said: another worker says those numbers anew.
                    after, here = min(after, here.written), None
                news = self.listen(run.run_id)
                frames = await self._events.after(tenant, run.run_id, after)
                if not frames:
                    if run.run_id not in self._logs and await self._is_gone(tenant, run.run_id):
                        return
                    await self.until(news)
                    continue
            yield frames
            after = frames[-1].seq
            if frames[-1].name == END:
                return

    async def run(self) -> None:
        """Write what is said, in batches, until cancelled."""
        while True:
            await self._awake.wait()
            heard = any(one.careful and one.lease.run_id in self._readers for one in self._unwritten)
            awaited = heard or self.peers > 0
            await asyncio.sleep(GATHER_SECONDS if awaited else IDLE_GATHER_SECONDS)
            self._awake.clear()
            logs, self._unwritten = self._unwritten, set()
            await asyncio.gather(*(self._write_or_lose(one) for one in logs))

    async def _write_or_lose(self, one: RunLog) -> None:
        try:
            await self.write(one)
        except LostLease:
            one.lose()
            self.on_lost(one.lease)
        except LabError as error:
            log.warning("events of run %s are not written yet: %s", one.lease.run_id, error)
            self._unwritten.add(one)
            self._awake.set()
        except Exception:
            # Refused for what they are. One run's events must not end the writing of all others'.
            log.exception("events of run %s cannot be written", one.lease.run_id)
            one.lose()
            self.on_lost(one.lease)

    async def _has_ended(self, tenant: str, run_id: UUID, seq: int) -> bool:
        frames = await self._events.after(tenant, run_id, seq - 1) if seq else []
        return bool(frames) and frames[-1].name == END

    async def _is_gone(self, tenant: str, run_id: UUID) -> bool:
        return await self._events.last_seq(tenant, run_id) == 0


def _nobody(lease: Lease) -> None:
    """Until a worker is there."""


@asynccontextmanager
async def open_hub(events: RunEvents) -> AsyncIterator[Hub]:
    hub = Hub(events)
    async with running(hub.run(), "events"):
        yield hub
