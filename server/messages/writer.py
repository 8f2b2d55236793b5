"""One task a process that writes what has gathered, many senders' messages in one transaction."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from uuid import UUID

import psycopg

from server.db.messages import Messages, Named, Writing
from server.db.programs import one_line
from server.messages.admission import Admission, Facts, admit
from server.messages.envelope import Envelope
from server.messages.word import Arrival, notices
from state.errors import BadRequest, NoDatabase

BATCH = 256
"""Messages in one transaction at most. While it is committed the senders of the one before make their next: smaller
batches wait for Postgres more often, larger ones leave it idle meanwhile."""
BATCH_BYTES = 8_000_000
"""The same; the message that passes it is the last."""
PATIENCE_SEC = 10.0
"""How long Postgres may be away before senders are told."""
PAUSE_SEC = 0.1
RECOUNT_SEC = 1.0
"""A queue that is full is counted anew at most this often."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Sent:
    envelope: Envelope
    done: asyncio.Future[None]
    settled: Callable[[], None] | None


@dataclass(eq=False, slots=True)
class _GivenUp:
    request: Envelope
    answered: bool
    done: asyncio.Future[None]

    @property
    def queues(self) -> set[Named]:
        """Whose messages wait from now on: those of who asked and, not received yet, the request itself."""
        asker = (self.request.tenant, self.request.message.from_agent)
        return set() if self.answered else {asker, self.request.queue}


@dataclass(frozen=True)
class _Undone:
    """What becomes of messages that are, or are about to be, in Postgres."""

    released: list[tuple[Named, UUID]] = field(default_factory=list)
    """Queue and id: they wait again."""
    given_up: list[_GivenUp] = field(default_factory=list)
    """Requests for whose reply nobody waits any more."""

    def __bool__(self) -> bool:
        return bool(self.released or self.given_up)

    @property
    def ids(self) -> list[UUID]:
        return [one for _, one in self.released] + [one.request.message.message_id for one in self.given_up]

    def without(self, ids: Set[UUID]) -> tuple[_Undone, _Undone]:
        """What concerns none of these messages, and the rest."""
        if ids.isdisjoint(self.ids):
            return self, _Undone()
        now, later = _Undone(), _Undone()
        for one in self.released:
            (later if one[1] in ids else now).released.append(one)
        for given_up in self.given_up:
            (later if given_up.request.message.message_id in ids else now).given_up.append(given_up)
        return now, later


class Writer:
    """Runs as `run`. Used from one event loop."""

    def __init__(self, messages: Messages, bound: int, process: str, arrived: Callable[[set[Arrival]], None]) -> None:
        """`bound`: messages that may wait for one agent. `process` names this one in notices; `arrived` is told what
        waits now that it has been committed."""
        self._messages, self._bound, self._process, self._arrived = messages, bound, process, arrived
        self._waiting: deque[_Sent] = deque()
        self._undone = _Undone()
        self._awake = asyncio.Event()
        self._closing = False
        self._counted: dict[Named, float] = {}

    def put(self, envelope: Envelope, settled: Callable[[], None] | None = None) -> asyncio.Future[None]:
        """Done when it is committed. Fails with QueueFull, NotFound, BadRequest, NoDatabase.

        `settled` is called when it is written or refused, whether or not anybody waits for that.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closing:
            done.set_exception(NoDatabase("no more messages are taken: the process is stopping"))
            return done
        self._waiting.append(_Sent(envelope, done, settled))
        self._awake.set()
        return done

    def release(self, tenant: str, agent_id: str, message_id: UUID) -> None:
        """A message was handed over to somebody who had left: once it is written, it waits again."""
        self._undone.released.append(((tenant, agent_id), message_id))
        self._awake.set()

    def give_up(self, envelope: Envelope, *, answered: bool) -> asyncio.Future[None]:
        """Nobody waits for the reply to a request any more: once this is done, one that comes is in the queue as any
        message."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._undone.given_up.append(_GivenUp(envelope, answered, done))
        self._awake.set()
        return done

    def close(self) -> None:
        """Let `run` end as soon as everything is written."""
        self._closing = True
        self._awake.set()

    async def run(self) -> None:
        while not self._closing or self._waiting or self._undone:
            if not self._waiting and not self._undone:
                self._awake.clear()
                await self._awake.wait()
                # One turn of the event loop: who woke up together sends together.
                await asyncio.sleep(0)
                continue
            batch = self._next()
            undone = self._due()
            try:
                await self._write(batch, undone)
            except Exception as error:
                log.exception("a batch of %d messages failed", len(batch))
                _tell(batch, {one.envelope: error for one in batch})

    def _next(self) -> list[_Sent]:
        batch: list[_Sent] = []
        size = 0
        while self._waiting and len(batch) < BATCH and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += batch[-1].envelope.size
        return batch

    def _due(self) -> _Undone:
        """What concerns messages that are written by now or are in this batch; the rest waits for its own."""
        if not self._undone:
            return self._undone
        later = {one.envelope.message.message_id for one in self._waiting}
        due, self._undone = self._undone.without(later)
        return due

    async def _write(self, batch: Sequence[_Sent], undone: _Undone) -> None:
        """Write a batch and tell its senders; waits for Postgres to come back."""
        # Who has waited for the batches before has waited already.
        since = batch[0].envelope.sent_at if batch else time.monotonic()
        deadline, again = since + PATIENCE_SEC, False
        while True:
            try:
                admission = await self._commit([one.envelope for one in batch], undone, again)
                break
            except NoDatabase as error:
                if time.monotonic() > deadline:
                    # Each its own: a task that raises an error adds its traceback to it.
                    _tell(batch, {one.envelope: NoDatabase(str(error)) for one in batch})
                    self._keep(undone)
                    return
                again = True
                await asyncio.sleep(PAUSE_SEC)
            except psycopg.Error as error:
                await self._write_apart(batch, undone, error)
                return
        _tell(batch, admission.refused)
        for one in undone.given_up:
            if not one.done.done():
                one.done.set_result(None)

    def _keep(self, undone: _Undone) -> None:
        """For the next batch, unless there is none: what is lost then was delivered to nobody, which the history shows
        as delivered."""
        if not self._closing:
            self._undone.released.extend(undone.released)
            self._undone.given_up.extend(undone.given_up)
        elif undone.released:
            log.error("%d messages that nobody read are not back in their queues", len(undone.released))

    async def _write_apart(self, batch: Sequence[_Sent], undone: _Undone, error: psycopg.Error) -> None:
        """One of them is what Postgres does not take: find it by halves, so that it alone is refused."""
        if batch and undone:
            parts = [(batch, _Undone()), ([], undone)]
        elif len(batch) > 1:
            middle = len(batch) // 2
            parts = [(batch[:middle], _Undone()), (batch[middle:], _Undone())]
        else:
            if not isinstance(error, psycopg.DataError):
                log.error("a message cannot be stored", exc_info=error)
            _tell(batch, {one.envelope: BadRequest(f"cannot be stored: {one_line(str(error))}") for one in batch})
            return
        for part, of_part in parts:
            await self._write(part, of_part)

    async def _commit(self, batch: Sequence[Envelope], undone: _Undone, again: bool) -> Admission:
        async with self._messages.writing() as writing:
            admission = await self._admit(writing, batch, undone, again)
            arrivals = {_arrival(one, request) for one, request in admission.taken if not one.delivered}
            arrivals |= {queue for queue, _ in undone.released}
            # While its row is locked here, a claim elsewhere passes over a request that nobody has received yet.
            arrivals |= {queue for one in undone.given_up for queue in one.queues}
            await writing.write(
                [one.row(request) for one, request in admission.taken],
                [message_id for _, message_id in undone.released],
                [one.request.message.message_id for one in undone.given_up],
                list(notices(self._process, arrivals)),
            )
        if arrivals:
            self._arrived(arrivals)
        return admission

    async def _admit(self, writing: Writing, batch: Sequence[Envelope], undone: _Undone, again: bool) -> Admission:
        """Decide what is taken. Locks what that rests on before anything is written: runs, messages, queues, each in
        order."""
        runs = await writing.runs(list({one.message.execution_id for one in batch if one.message.execution_id}))
        answers = {one.message.reply_to for one in batch if one.message.reply_to and not one.delivered}
        requests = await writing.hold(list(answers), undone.ids)
        stored = await writing.stored([one.message.message_id for one in batch]) if again else set()
        queues = {one.queue for one in batch if not one.delivered} | {queue for queue, _ in undone.released}
        queues |= {queue for one in undone.given_up for queue in one.queues}
        depths = await writing.lock(sorted(queues))
        facts = Facts(depths, runs, requests, stored)
        admission = admit(batch, facts, self._bound)
        if due := self._to_count(admission.full):
            facts = replace(facts, depths={**depths, **await writing.recount(due)})
            admission = admit(batch, facts, self._bound)
        return admission

    def _to_count(self, full: set[Named]) -> list[Named]:
        """Full queues that were not counted a moment ago: messages go with their runs, unnoticed by the depth."""
        now = time.monotonic()
        self._counted = {queue: at for queue, at in self._counted.items() if now - at < RECOUNT_SEC}
        due = sorted(full - self._counted.keys())
        self._counted.update(dict.fromkeys(due, now))
        return due


def _arrival(one: Envelope, request: UUID | None) -> Arrival:
    return one.queue if request is None else (one.tenant, request)


def _tell(batch: Sequence[_Sent], refused: Mapping[Envelope, Exception]) -> None:
    for one in batch:
        if one.settled is not None:
            one.settled()
            one.settled = None
        if one.done.done():  # its sender was cancelled
            continue
        error = refused.get(one.envelope)
        if error is None:
            one.done.set_result(None)
        else:
            one.done.set_exception(error)
