"""Executions so far as clients read them: whole, with what each node did; and how one is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from langgraph.store.base import BaseStore

from nodes.memory import forget, runs_of
from server.db.history import History
from server.db.history_shapes import Execution, PartOf
from server.db.run_events import RunEvents
from server.db.threads import Threads
from server.run_queue.queue import RunQueue
from server.streaming.agent_nodes import turns_of
from server.streaming.checkpoint_nodes import steps_of
from server.streaming.frames import Frame
from server.streaming.lab_nodes import NodeStatus, NodeVisit, nodes_of
from server.streaming.lab_stream import LAB, questions_of
from server.thread_states import ThreadStates
from state.errors import BadRequest, Conflict, NotFound, TimedOut

STOP_SECONDS = 20.0
"""How long a request waits for a run that it stops."""
MOST_STATES = 200
"""Checkpoints that are looked at, of one run."""
_TELL_NODES = frozenset({"metadata", "node_start", "node_end", "result", "interrupt", "error", "custom"})
"""Events that are kept in memory while a log is read; tokens are nearly all of it."""
_LEFT: Mapping[str, NodeStatus] = {
    "COMPLETED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "INTERRUPTED": "interrupted",
}
"""What became of a node whose end nobody told, by how its execution stands."""


@dataclass(frozen=True)
class Whole:
    """An execution with what its nodes did. `interrupts`: what it asks, `interrupt_id` and `value` each."""

    execution: Execution
    nodes: Sequence[NodeVisit]
    interrupts: Sequence[Mapping[str, Any]] = ()

    @property
    def next(self) -> list[str]:
        """Where it goes on when it is answered, or resumed."""
        return [*dict.fromkeys(visit.node for visit in self.nodes if visit.status in ("interrupted", "cancelled"))]


class Histories:
    """Of every tenant. Methods raise NotFound where the tenant has no such execution, and NoDatabase."""

    def __init__(
        self,
        history: History,
        events: RunEvents,
        queue: RunQueue,
        threads: Threads,
        states: ThreadStates,
        store_of: Callable[[str], BaseStore],
    ) -> None:
        """`store_of`: a tenant's long-term memory, which recalls what was asked before."""
        self.rows = history
        self._events = events
        self._queue = queue
        self._threads = threads
        self._states = states
        self._store_of = store_of

    async def get(self, tenant: str, run_id: UUID) -> Execution:
        """By the id of any of its runs."""
        found = await self.rows.get(tenant, run_id)
        if found is None:
            raise NotFound(f"there is no execution {run_id}; GET /api/v1/history lists them")
        return found

    async def whole(self, tenant: str, run_id: UUID) -> Whole:
        """With its nodes: out of the log of its runs where that tells of them, else out of its checkpoints."""
        execution = await self.get(tenant, run_id)
        parts = await self.rows.parts(tenant, execution.execution_id)
        nodes = await self._nodes(tenant, execution, parts)
        left = _LEFT.get(execution.status)
        if left is not None:
            nodes = [replace(each, status=left) if each.status == "running" else each for each in nodes]
        return Whole(execution, nodes, await self._interrupts(tenant, execution))

    async def delete(self, tenant: str, run_id: UUID) -> None:
        """With its events, what is remembered of it, and the thread that was made for it alone.

        One in flight is stopped first. Raises Conflict: it runs in a terminal; TimedOut: it does not stop.
        """
        execution = await self.get(tenant, run_id)
        parts = await self.rows.parts(tenant, execution.execution_id)
        if execution.in_flight:
            await self._stop(tenant, execution, parts)
        await self.rows.delete(tenant, execution)
        await forget(self._store_of(tenant), runs_of(None), [str(part.run_id) for part in parts])

    async def _stop(self, tenant: str, execution: Execution, parts: Sequence[PartOf]) -> None:
        if parts and parts[-1].foreground:
            raise Conflict(f"{execution.execution_id} runs in a terminal; end it there (Ctrl-C), then delete it")
        await self._queue.cancel(tenant, [execution.run_id], "interrupt")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._queue.ended(tenant, execution.run_id)
        except TimeoutError:
            told = f"{execution.execution_id} was told to stop and still runs after {STOP_SECONDS:.0f} s"
            raise TimedOut(told) from None

    async def _nodes(self, tenant: str, execution: Execution, parts: Sequence[PartOf]) -> list[NodeVisit]:
        if all(list(part.modes) == [LAB] for part in parts):
            return nodes_of(await self._frames(tenant, parts))
        if execution.graph_id in ("crew", "flow") and all("custom" in part.modes for part in parts):
            return turns_of(await self._frames(tenant, parts))
        return steps_of(await self._checkpoints(tenant, execution, parts))

    async def _frames(self, tenant: str, parts: Sequence[PartOf]) -> list[Frame]:
        """The events of an execution's runs that tell of nodes, so far."""
        kept: list[Frame] = []
        for part in parts:
            after = 0
            while frames := await self._events.after(tenant, part.run_id, after):
                kept += [frame for frame in frames if frame.name in _TELL_NODES]
                after = frames[-1].seq
        return kept

    async def _checkpoints(self, tenant: str, execution: Execution, parts: Sequence[PartOf]) -> list[Mapping[str, Any]]:
        """The states that an execution's runs went through, the oldest first; none where its thread cannot be read."""
        states: list[Mapping[str, Any]] = []
        with suppress(BadRequest):  # it is gone, or its graph is not served here any more
            for part in parts:
                found = await self._states.history(
                    tenant, execution.thread_id, limit=MOST_STATES, metadata={"run_id": str(part.run_id)}
                )
                states += reversed(found)
        return states

    async def _interrupts(self, tenant: str, execution: Execution) -> Sequence[Mapping[str, Any]]:
        """As its thread shows them, which has not gone on with something else since."""
        if execution.status != "INTERRUPTED" or not await self.rows.is_newest(tenant, execution):
            return []
        with suppress(NotFound):
            return questions_of((await self._threads.get(tenant, execution.thread_id)).interrupts)
        return []
