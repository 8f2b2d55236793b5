"""A download on behalf of a client: told as events, left when the client leaves.

It then stops, unless somebody else waits for the same model; what has arrived is kept for the next one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future

from llm.failures import broken
from llm.models import LocalModels
from server.catalogue import describe, fetch
from server.streaming.events import Event
from state.errors import LabError, Unavailable

log = logging.getLogger(__name__)

TELL_SEC = 0.2
"""Progress is told this often at most, the newest only; a download reports each piece of some kilobytes."""

MOST_PULLS = 16
"""Downloads that clients may wait for at once: each has a thread for as long as it takes."""

THREAD = "pull-"


class _Left(Exception):
    """The client has gone."""


class _Fetch:
    """One client's fetch, in a thread of its own: the pools for short blocking calls have few of them."""

    def __init__(self, models: LocalModels, name: str) -> None:
        """Raises Unavailable when `MOST_PULLS` are under way."""
        if sum(thread.name.startswith(THREAD) for thread in threading.enumerate()) >= MOST_PULLS:
            raise Unavailable(f"{MOST_PULLS} downloads are under way already; ask again when one has ended")
        self._models = models
        self._name = name
        self.heard: tuple[int, int] | None = None
        """The newest progress: bytes here, bytes in all."""
        self.left = threading.Event()
        self.ended: Future[None] = Future()
        # A daemon: a hub that has stopped talking must not hold up the end of the process.
        threading.Thread(target=self._run, name=f"{THREAD}{name}", daemon=True).start()

    def _run(self) -> None:
        if not self.ended.set_running_or_notify_cancel():
            return
        try:
            fetch(self._models, self._name, self._hear)
        except (LabError, _Left) as known:
            self.ended.set_exception(known)
        # The thread's edge: whatever a download raises reaches the client who waits for it.
        except Exception as unknown:
            self.ended.set_exception(broken(f"fetching {self._name} failed", unknown))
        else:
            self.ended.set_result(None)

    def _hear(self, done: int, total: int) -> None:
        if self.left.is_set():
            raise _Left
        self.heard = (done, total)


async def pull(models: LocalModels, name: str) -> AsyncGenerator[Event, None]:
    """Fetch a model's files. Events: `progress`, often or not at all, then `result`.

    Closing it leaves the download. Raises as `catalogue.fetch`, and Unavailable when too many are under way.
    """
    work = _Fetch(models, name)
    ended = asyncio.wrap_future(work.ended)
    ended.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to look at it
    told = None
    try:
        while True:
            await asyncio.wait({ended}, timeout=TELL_SEC)
            over = ended.done()  # before the look at what was heard: nothing is heard after the end
            if work.heard is not None and work.heard != told:
                told = work.heard
                yield Event("progress", {"name": name, "done_bytes": told[0], "total_bytes": told[1]})
            if over:
                break
        await ended
        info = await asyncio.to_thread(describe, models, name)
        yield Event("result", info.model_dump(mode="json"))
    finally:
        work.left.set()
        if not ended.done():
            log.info("a client left a download: model=%s", name)
        ended.cancel()
