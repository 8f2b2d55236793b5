"""What runs runs: claims them under a lease, takes over those of the dead, and stops in good order."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

import psycopg
from langgraph.runtime import RunControl
from structlog.contextvars import bind_contextvars, clear_contextvars

from server.background import running
from server.db.claims import Claimed, ClaimRows, Lost
from server.db.leases import Lease
from server.db.worker import Worker as Life
from server.run_queue.reaper import ending_of_lost
from server.run_queue.shapes import CancelAction, Ending, Run
from server.streaming.hub import Hub
from state.errors import NoDatabase

SLOTS = 100
"""Runs of one process at once."""
POLL_SECONDS = 1.0
"""How often a worker looks by itself for what it may claim or take over."""
RETURN_SECONDS = 3.0
"""After Postgres was away, how long other processes have to come back before any of them is taken for dead."""
TIDY_ROUNDS = 30
AGAIN_SECONDS = 5.0
"""A graph that works on this long after it was cut is cut again: its code has swallowed the cancellation."""
STRAY_SECONDS = 3.0
"""How long a run may be this worker's in Postgres and not at work here: between its claim and its begin, say."""
DRAIN_SECONDS = 20.0
"""How long a stopping worker waits for its runs to come to a checkpoint."""
LAST_SECONDS = 5.0
"""And then for those it cut to be handed back; what is not is taken over by other workers."""

Reason = Literal["interrupt", "rollback", "lost", "drain"]

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Working:
    """A run at work in this process."""

    claimed: Claimed
    control: RunControl = field(default_factory=RunControl)
    """Asked to drain, the graph stops at its next checkpoint."""
    reason: Reason | None = None
    """Why it is being stopped; None while it is not."""
    task: asyncio.Task[None] | None = None
    _cuttable: bool = False
    """Its graph is at work: before, it is being opened, after, recorded, and neither is to be cut."""
    _over: bool = False
    _cut_at: float | None = None

    @property
    def lease(self) -> Lease:
        return self.claimed.run.lease

    @property
    def is_cut(self) -> bool:
        """Its task was cancelled, by `cut` or with the process."""
        return self.task is not None and self.task.cancelling() > 0

    def stop(self, reason: Reason) -> None:
        """Cut it where it stands. What was lost stays lost; a rollback is not weakened to an interrupt."""
        if self._over or self.reason == "lost" or (self.reason == "rollback" and reason != "lost"):
            return
        first = self.reason in (None, "drain")
        self.reason = reason
        if first:
            self.cut()

    def cut(self) -> None:
        """Cancel its graph if that is at work."""
        if self._cuttable and self.task is not None:
            self._cut_at = time.monotonic()
            self.task.cancel()

    def cut_again(self) -> None:
        """Cancel it once more where the first cancellation was swallowed and it works on."""
        if self._cut_at is not None and time.monotonic() - self._cut_at > AGAIN_SECONDS:
            self.cut()

    @contextmanager
    def may_be_cut(self) -> Iterator[None]:
        """While its graph works. Raises CancelledError where it was stopped before it could begin."""
        if self.reason not in (None, "drain"):
            raise asyncio.CancelledError
        self._cuttable = True
        try:
            yield
        finally:
            self._cuttable = False

    async def settled(self) -> None:
        """Nothing stops it any more; a cut that came as the graph ended is taken in."""
        self._over = True
        if self.task is not None and self.task.cancelling():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            while self.task.cancelling():
                self.task.uncancel()


def log_ids(run: Run) -> dict[str, str]:
    """What every log line of a run says, those of its nodes included."""
    run_id = str(run.run_id)
    return {"execution_id": run_id, "run_id": run_id, "thread_id": str(run.thread_id), "graph": run.graph_id}


Execute = Callable[[Working], Awaitable[None]]
"""Runs one claimed run to its end and records it. Never raises for what concerns that run alone."""


class Worker:
    """One a process, at work while `running`."""

    def __init__(
        self,
        rows: ClaimRows,
        hub: Hub,
        life: Life,
        execute: Execute,
        *,
        slots: int = SLOTS,
        webhook: Callable[[Run, Ending], tuple[str, bytes] | None] = lambda run, ending: None,
        lost: Callable[[str, str], None] = lambda graph_id, status: None,
    ) -> None:
        """`lost`: told of the graph of a run that is ended because its worker is gone, and its status."""
        self.id = life.id
        self._life = life
        self._webhook = webhook
        self._lost = lost
        self._strays: dict[int, float] = {}
        self._rows = rows
        self._hub = hub
        self._execute = execute
        self._slots = slots
        self._reserved = 0
        self._working: dict[UUID, Working] = {}
        self._full = False
        """When it last looked, there may have been more than it could take."""
        self._awake = asyncio.Event()
        self._look_now = asyncio.Event()
        self._draining = False
        self._rounds = 0

    @property
    def free(self) -> int:
        """Runs that may be begun now."""
        return 0 if self._draining else self._slots - len(self._working) - self._reserved

    def reserve(self, wanted: int) -> bool:
        """Keep slots for runs that are claimed as they are admitted; `unreserve` or `start` gives them back."""
        if self.free < wanted:
            return False
        self._reserved += wanted
        return True

    def unreserve(self, slots: int) -> None:
        self._reserved -= slots

    def start(self, claimed: Claimed) -> None:
        """Begin a run that this worker has claimed."""
        working = Working(claimed)
        former = self._working.get(claimed.run.run_id)
        if former is not None:
            # Put back by another process while this one was silent, and claimed here again.
            former.stop("lost")
        self._working[claimed.run.run_id] = working
        working.task = asyncio.create_task(self._work(working), name=f"run {claimed.run.run_id}")
        if claimed.run.cancel is not None:
            working.stop(claimed.run.cancel)

    def wake(self, payload: str = "") -> None:
        """There may be something to claim."""
        self._awake.set()

    def stop(self, run_id: UUID, action: CancelAction) -> None:
        """Stop a run if it is at work here."""
        working = self._working.get(run_id)
        if working is not None:
            working.stop(action)

    def heard_stop(self, payload: str) -> None:
        """A notice of `notices.STOP`: a look at the queue, made now, says which way to stop."""
        with suppress(ValueError):
            if UUID(payload) in self._working:
                self._look_now.set()

    def lose(self, lease: Lease) -> None:
        """Another worker has taken a run over."""
        working = self._working.get(lease.run_id)
        if working is not None and working.lease == lease:
            working.stop("lost")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Claim, look after its runs and take over those of the dead; at the end it has handed its runs back."""
        async with (
            running(self._every(self._claim_all, self._awake), "claims"),
            running(self._every(self._look, self._look_now), "own runs"),
            running(self._every(self._take_over, asyncio.Event()), "reaper"),
        ):
            try:
                yield
            finally:
                await self.drain()

    async def drain(self) -> None:
        """Claim no more; let runs come to a checkpoint, cut those that do not, and hand all of them back."""
        self._draining = True
        deadline = time.monotonic() + DRAIN_SECONDS
        # Again: what was claimed just before is begun only now.
        while self._working and (left := deadline - time.monotonic()) > 0:
            for working in self._working.values():
                working.reason = working.reason or "drain"
                working.control.request_drain("the worker stops")
            log.info("%d runs go on to their next checkpoint", len(self._working))
            tasks = [working.task for working in self._working.values() if working.task is not None]
            await asyncio.wait(tasks, timeout=left)
        late = [working for working in self._working.values() if working.task is not None]
        for working in late:
            working.cut()
        if late:
            await asyncio.wait([working.task for working in late if working.task is not None], timeout=LAST_SECONDS)

    async def _work(self, working: Working) -> None:
        # The task has begun with what log lines of its claimer say: a request, perhaps that of another run.
        clear_contextvars()
        bind_contextvars(**log_ids(working.claimed.run), worker=self.id)
        try:
            await self._execute(working)
        finally:
            run_id = working.claimed.run.run_id
            if self._working.get(run_id) is working:
                del self._working[run_id]
            if self._full:  # else nothing waits that could not be claimed: a look for each run's end would find nothing
                self._awake.set()

    async def _claim_all(self) -> None:
        while self.free > 0:
            slots = min(self.free, 20)
            self._reserved += slots
            try:
                claimed = await self._rows.claim(self.id, slots)
            except psycopg.errors.UniqueViolation:
                continue  # a foreground run began on one of the threads; the next look leaves it out
            finally:
                self._reserved -= slots
            for each in claimed:
                self.start(each)
            if len(claimed) < slots:
                break
        self._full = self.free <= 0

    async def _look(self) -> None:
        # Only those at work before the question was asked: a run that was begun meanwhile is not in its answer.
        asked = dict(self._working)
        held = await self._rows.held(self.id)
        for run_id, working in asked.items():
            if held.tokens.get(run_id) != working.lease.token:
                working.stop("lost")
            elif run_id in held.cancels:
                working.stop(held.cancels[run_id])
            working.cut_again()
        await self._take_in(held.runs)
        self._hub.peers = await self._rows.peers(self.id)

    async def _take_in(self, held: Sequence[Lost]) -> None:
        """Let runs be claimed again that are this worker's and that it does not know: the answer to their claim, or to
        their end, never came. Foreground runs are their callers'."""
        now = time.monotonic()
        strays = {run.token: run for run in held if run.run_id not in self._working and run.max_attempts > 1}
        self._strays = {token: self._strays.get(token, now) for token in strays}
        for token, since in self._strays.items():
            if now - since >= STRAY_SECONDS:
                await self._go_on_or_end(strays[token])

    async def _take_over(self) -> None:
        lost = await self._rows.lost(self.id)
        if lost:
            # Asked first: it finds out whether Postgres was away a moment ago. Then nobody holds a lock yet.
            await self._life.hold()
        if time.monotonic() - self._life.regained_at > RETURN_SECONDS:
            for one in lost:
                try:
                    await self._go_on_or_end(one)
                except psycopg.Error:
                    # The others do not wait for it.
                    log.exception("run %s, whose worker is gone, cannot be moved", one.run_id)
        self._rounds += 1
        if self._rounds % TIDY_ROUNDS == 0:
            await self._rows.tidy()

    async def _go_on_or_end(self, lost: Lost) -> None:
        ending = ending_of_lost(lost)
        if ending is None:
            log.warning("run %s is taken over: its worker is gone", lost.run_id)
            await self._rows.put_back(lost.tenant, lost.run_id, lost.thread_id, lost.token, counted=True)
        else:
            run = await self._rows.get(lost.tenant, lost.run_id)
            webhook = None if run is None else self._webhook(run, ending)
            if await self._rows.end_lost(lost, replace(ending, webhook=webhook)) and run is not None:
                self._lost(run.graph_id, ending.status)
        self._awake.set()

    async def _every(self, act: Callable[[], Awaitable[None]], awake: asyncio.Event) -> None:
        """Act, then wait until woken or until it is time; Postgres may be away for a while."""
        while True:
            awake.clear()
            try:
                await act()
            except NoDatabase as error:
                log.warning("%s", error)
            except Exception:  # whatever it is, one of three loops that ends would stop the queue of this process
                log.exception("the run queue stumbled")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await awake.wait()
