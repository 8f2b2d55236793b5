"""Who waits in this process for the messages of one agent, or for the reply to one request."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from state.messages import AgentMessage

Waiter = asyncio.Future[AgentMessage]


@dataclass(eq=False)
class Mailbox:
    """Receivers are served in the order in which they came."""

    empty: bool = False
    """Postgres was asked and had nothing, and there has been no word since."""
    unwritten: int = 0
    """Messages for it that are on their way to Postgres from here: what comes later must not overtake them."""
    looking: asyncio.Task[None] | None = None
    asker: str | None = None
    """Of a request's: the agent that its reply is for."""
    _waiters: deque[Waiter] = field(default_factory=deque)
    _entered_at: float = 0.0

    def enter(self) -> Waiter:
        """Wait, after those who wait already."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._entered_at = time.monotonic()
        return waiter

    def leave(self, waiter: Waiter) -> AgentMessage | None:
        """Wait no longer; returns what was handed over. Raises what the mailbox was failed with."""
        if waiter.done():
            return None if waiter.cancelled() else waiter.result()
        self._waiters.remove(waiter)
        waiter.cancel()
        return None

    def abandon(self, waiter: Waiter) -> AgentMessage | None:
        """The same for a receiver that was cancelled: returns what it was handed and will not read; never raises."""
        if waiter.done() and (waiter.cancelled() or waiter.exception() is not None):
            return None
        return self.leave(waiter)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    @property
    def used(self) -> bool:
        """Whether anybody has ever waited here."""
        return self._entered_at > 0

    @property
    def takes(self) -> bool:
        """Whether a message may be handed over at once."""
        return self.empty and not self.unwritten and self.looking is None and bool(self._waiters)

    def is_idle_since(self, moment: float) -> bool:
        """`moment`: on the monotonic clock."""
        return not self._waiters and not self.unwritten and self.looking is None and self._entered_at < moment

    def hand(self, message: AgentMessage) -> bool:
        """To the first who waits; False where nobody does."""
        if not self._waiters:
            return False
        self._waiters.popleft().set_result(message)
        return True

    def fail(self, error: Exception) -> None:
        """Tell all who wait."""
        while self._waiters:
            # Each its own: a task that raises an error adds its traceback to it.
            self._waiters.popleft().set_exception(type(error)(str(error)))

    def written(self) -> None:
        """One that was on its way is in Postgres, or refused."""
        self.unwritten -= 1
