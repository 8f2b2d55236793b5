"""Looking after the health of agents: those that have an address are asked, the others are to say that they live."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import psycopg

from server.background import running
from server.db.agent_runs import AgentRuns
from server.db.agent_shapes import Looked, ToCheck
from server.db.agents import Agents
from server.db.json_values import storable_text
from state.errors import LabError, NoDatabase

TIMEOUT_SECONDS = 5.0
"""For the answer's head; of its body nothing is read."""
CONCURRENCY = 8
SILENCE_INTERVALS = 3.0
"""Without a heartbeat, after a first one."""
MOST_REASON = 300
"""Characters."""
_NOT_ITS_OWN = 501

log = logging.getLogger(__name__)

Http = Callable[[float], httpx.AsyncClient]
"""A client with this timeout in seconds that reaches only what the operator allows."""


def judged(status: int, seconds: float) -> Looked:
    """What the status of `GET {endpoint}/health` says.

    Whoever answers at all is there: an agent need not know this path (404, 405, 501), nor let everybody ask (401).
    """
    if status >= 500 and status != _NOT_ITS_OWN:
        return Looked("unhealthy", f"its health check answered {status}", seconds)
    return Looked("healthy", None, seconds)


def unreached(error: Exception) -> Looked:
    """Why there was no answer, in a line."""
    said = storable_text(" ".join(str(error).split())[:MOST_REASON])
    match error:
        case TimeoutError() | httpx.TimeoutException():
            return Looked("unhealthy", f"no answer to its health check within {TIMEOUT_SECONDS:g} s")
        case LabError():
            return Looked("unhealthy", said)
    return Looked("unhealthy", f"its health check failed: {type(error).__name__}{': ' if said else ''}{said}")


def pause_seconds(interval: float) -> float:
    """Between two looks at what is due: often enough that a tenth of an interval is the most that is added to it."""
    return min(max(interval / 10, 0.1), 2.0)


@dataclass
class _Shared:
    """A look that whoever asks while it lasts is told of."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    looked: Looked | None = None


class HealthPoller:
    """One a process; they share the work through Postgres and need not know of each other."""

    def __init__(self, agents: Agents, calls: AgentRuns, http: Http, *, interval: float, call_days: float) -> None:
        """`interval` between two looks at an agent, in seconds; `call_days`: how long calls outside runs are kept."""
        self._agents, self._calls, self._http = agents, calls, http
        self._interval, self._call_days = interval, call_days
        self._freed = asyncio.Event()
        self._free = CONCURRENCY
        self._tidied_at = -float("inf")
        self._asked: dict[ToCheck, _Shared] = {}

    async def run(self) -> None:
        """Look until cancelled; an absent Postgres is waited out."""
        async with self._http(TIMEOUT_SECONDS) as client, asyncio.TaskGroup() as looks:
            while True:
                self._freed.clear()
                full = False
                try:
                    full = await self._begin_due(client, looks)
                    await self._tidy()
                except (NoDatabase, psycopg.Error) as error:  # a server that may only be read says so otherwise
                    log.warning("health checks wait: %s", error)
                if full:
                    await self._freed.wait()
                else:
                    await asyncio.sleep(pause_seconds(self._interval))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` for as long as the context is open."""
        async with running(self.run(), "agent-health"):
            yield

    async def _begin_due(self, client: httpx.AsyncClient, looks: asyncio.TaskGroup) -> bool:
        """Begin as many looks as there is room for; whether there may be more."""
        if not self._free:
            return True
        room = self._free
        due = await self._agents.claim_checks(room, self._interval)
        for agent in due:
            self._free -= 1
            looks.create_task(self._look(client, agent)).add_done_callback(self._done)
        return len(due) == room

    def _done(self, _: object) -> None:
        self._free += 1
        self._freed.set()

    async def _look(self, client: httpx.AsyncClient, agent: ToCheck) -> None:
        try:
            await self._agents.record_health(agent, await look(client, agent.endpoint))
        except (NoDatabase, psycopg.Error) as error:
            log.warning("the health of agent '%s' is not kept: %s", agent.agent_id, error)

    async def check(self, agent: ToCheck) -> Looked:
        """Look now, and keep what it showed; those who ask at the same time share one look. Raises NoDatabase."""
        shared = self._asked.setdefault(agent, _Shared())
        async with shared.lock:
            if shared.looked is None:  # or whoever looked was cut off
                async with self._http(TIMEOUT_SECONDS) as client:
                    looked = await look(client, agent.endpoint)
                await self._agents.record_health(agent, looked)
                shared.looked = looked
                del self._asked[agent]
        return shared.looked

    async def _tidy(self) -> None:
        """About once an interval: what nobody says any more, and what nobody else will end."""
        if time.monotonic() - self._tidied_at < self._interval:
            return
        self._tidied_at = time.monotonic()
        for agent_id in await self._agents.note_silence(self._interval * SILENCE_INTERVALS):
            log.warning("agent '%s' has sent no heartbeat for %g s", agent_id, self._interval * SILENCE_INTERVALS)
        await self._calls.close_lost()
        await self._calls.forget(self._call_days)


async def look(client: httpx.AsyncClient, endpoint: str) -> Looked:
    """Ask an agent how it is. Whatever goes wrong is its health."""
    begun = time.monotonic()
    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            client.stream("GET", f"{endpoint}/health", headers={"accept": "application/json"}) as response,
        ):
            return judged(response.status_code, time.monotonic() - begun)
    except (LabError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return unreached(error)
    except Exception as error:
        # What a broken peer makes a client of many layers raise must not end the looks at all others.
        log.exception("the health check of %s", endpoint)
        return unreached(error)
