"""Executing crews and flows: background runs of their assistants, told as jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from server.db.jobs import BOTH, IN_FLIGHT, Delivery, Graph, Job, JobFigures, JobFilter, Jobs, SaidFigures
from server.db.threads import Threads
from server.definitions import Kept, Kind
from server.job_requests import Asked, answer_for, answering_body, first_body, pinned
from server.run_queue.asking import new_run
from server.run_queue.queue import RunQueue
from server.run_queue.shapes import NewRun, Run
from server.run_queue.webhooks import WebhookSender
from server.thread_states import ThreadStates
from server.wire.progress import Progress, progress_of
from state.errors import BadRequest, Conflict, NotFound, TimedOut
from state.messages import AgentMessage

STOP_SECONDS = 20.0
"""How long a request waits for a run that it stops."""
GIVEN_UP = "UserInterrupt: nobody answered what it asked; it was cancelled"
DROPPED = "UserInterrupt: cancelled before it began"
CLEANED_AT_ONCE = 500
_FIRST = frozenset({"__start__", "begin"})


class Executions:
    """Of every tenant. Methods raise NotFound where the tenant has no such job, and NoDatabase."""

    def __init__(
        self,
        jobs: Jobs,
        queue: RunQueue,
        threads: Threads,
        states: ThreadStates,
        webhooks: WebhookSender,
        said: Callable[[UUID, int], Awaitable[Sequence[AgentMessage]]],
        cancelled: Callable[[Job, str], Delivery | None],
    ) -> None:
        """`said`: the messages of a run, oldest first, at most so many. `cancelled`: where it is told, and with what
        body, that a job was cancelled which no worker had."""
        self._jobs = jobs
        self._queue = queue
        self._threads = threads
        self._states = states
        self._webhooks = webhooks
        self._said = said
        self._cancelled = cancelled

    async def start(
        self,
        tenant: str,
        kept: Kept,
        asked: Asked,
        *,
        run_id: UUID | None = None,
        ours: Mapping[str, Any] | None = None,
    ) -> Run:
        """Put a run into the queue; when this returns it is durable.

        `run_id`: the request's execution id. `ours`: of the run's kwargs, those that no client sets.
        Raises BadRequest (webhook), Conflict: the thread belongs to another graph.
        """
        if asked.webhook is not None:
            await self._webhooks.check(asked.webhook)
        if asked.thread_id is not None:
            await self._check_thread(tenant, asked.thread_id, kept.kind)
        new = _new(first_body(kept, asked), kept.assistant, asked.thread_id)
        return await self._queue.admit(tenant, replace(new, run_id=run_id, kwargs={**new.kwargs, **(ours or {})}))

    async def get(self, tenant: str, job_id: UUID, graphs: Sequence[Graph] = BOTH) -> Job:
        """Raises NotFound."""
        found = await self._jobs.get(tenant, job_id, graphs)
        if found is None:
            what = "job" if tuple(graphs) == ("crew",) else "execution"
            raise NotFound(f"there is no {what} {job_id}")
        return found

    async def search(self, tenant: str, wanted: JobFilter, *, limit: int, offset: int) -> tuple[list[Job], int]:
        """The newest first, and how many there are in all."""
        return (
            await self._jobs.search(tenant, wanted, limit=limit, offset=offset),
            await self._jobs.count(tenant, wanted),
        )

    async def progress(self, tenant: str, job: Job) -> Progress:
        """What the steps of a job have come to so far, and what it asks."""
        if job.status not in (*IN_FLIGHT, "INTERRUPTED") or job.next is not None:
            return progress_of(job.output)
        if job.status == "PENDING":
            return Progress()
        own = {str(run_id) for run_id in await self._jobs.runs_of(tenant, job.job_id)}
        with suppress(BadRequest):  # the thread is gone, or its graph is not served here: there is nothing to tell
            state = await self._states.read(tenant, job.thread_id)
            # Until its first node is done a thread shows what the run before left.
            begun = _FIRST.isdisjoint(state["next"])
            if begun and (state.get("metadata") or {}).get("run_id") in own:
                return progress_of(state["values"], state["tasks"])
        return Progress()

    async def cancel(self, tenant: str, job: Job) -> Job:
        """Stop it, and wait for that. Raises Conflict where it has ended."""
        job = await self.get(tenant, job.job_id)
        if job.status not in (*IN_FLIGHT, "INTERRUPTED"):
            raise Conflict(f"{job.job_id} has ended: it is {job.status}")
        if job.status == "INTERRUPTED":
            await self._jobs.give_up(tenant, job.job_id, GIVEN_UP, self._cancelled(job, GIVEN_UP))
            job = await self.get(tenant, job.job_id)  # an answer may have come first
        if job.status in IN_FLIGHT:
            await self._stop(tenant, job)
            await self._jobs.close_dropped(tenant, job.run_id, DROPPED, self._cancelled(job, DROPPED))
        self._webhooks.wake()
        return await self.get(tenant, job.job_id)

    async def resume(self, tenant: str, job: Job, answer: Any, interrupt_id: str | None = None) -> Run:
        """Answer what it asks; it goes on as the same job. Raises Conflict where nothing waits, BadRequest: which?"""
        job = await self.get(tenant, job.job_id)
        if job.status != "INTERRUPTED":
            raise Conflict(f"{job.job_id} asks nothing: it is {job.status}")
        if job.next is not None:
            raise Conflict(f"{job.job_id} cannot go on: its thread {job.thread_id} has gone on with another run")
        thread = await self._threads.get(tenant, job.thread_id)
        waiting = [str(asked["id"]) for asks in thread.interrupts.values() for asked in asks]
        first = await self._queue.get(tenant, job.job_id)
        body = answering_body(job, first, answer_for(waiting, answer, interrupt_id))
        return await self._queue.admit(tenant, _new(body, pinned(first), job.thread_id))

    async def wait(self, tenant: str, job_id: UUID) -> Job:
        """The job when it has ended or asks something. Raises Unavailable where this server stops first."""
        job = await self.get(tenant, job_id)
        await self._queue.ended(tenant, job.run_id)
        return await self.get(tenant, job_id)

    async def delete(self, tenant: str, job: Job) -> None:
        """With what it said and, where it was made for the job, its thread; stopped first where it runs."""
        if job.status in IN_FLIGHT:
            await self._stop(tenant, job, surely=True)
        runs = await self._jobs.runs_of(tenant, job.job_id)
        empty = await self._jobs.delete(tenant, runs, job.thread_id)
        if empty and job.metadata.get("own_thread") is True:
            with suppress(NotFound):
                await self._threads.delete(tenant, job.thread_id)

    async def messages(self, tenant: str, job_id: UUID, limit: int) -> list[AgentMessage]:
        """The newest of what was said in it, oldest first; of one that was resumed, in all its runs."""
        told = [message for run in await self._jobs.runs_of(tenant, job_id) for message in await self._said(run, limit)]
        return told[-limit:]

    async def figures(self, tenant: str, graphs: Sequence[Graph], *, by_name: bool) -> list[JobFigures]:
        """Counts and times, by status and, with `by_name`, by crew and flow."""
        return await self._jobs.figures(tenant, graphs, by_name=by_name)

    async def said(self, tenant: str) -> tuple[int, list[SaidFigures]]:
        """How many messages are kept, and those of the last day by agent; those between steps are among them."""
        return await self._jobs.kept_messages(tenant), await self._jobs.said(tenant)

    async def clean_up(self, tenant: str, graphs: Sequence[Graph], hours: float, *, dry_run: bool) -> list[UUID]:
        """Delete jobs that ended longer ago than this; which these are, of very many the oldest."""
        found = await self._jobs.ended_before(tenant, graphs, hours * 3600.0, CLEANED_AT_ONCE)
        for job_id in [] if dry_run else found:
            with suppress(NotFound):  # somebody else cleans up, too
                job = await self.get(tenant, job_id, graphs)
                if job.status not in IN_FLIGHT:  # a run on its thread may have gone on with it
                    await self.delete(tenant, job)
        return found

    async def _stop(self, tenant: str, job: Job, *, surely: bool = False) -> None:
        await self._queue.cancel(tenant, [job.run_id], "interrupt")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._queue.ended(tenant, job.run_id)
        except TimeoutError:
            if surely:
                raise TimedOut(f"{job.job_id} was told to stop and still runs after {STOP_SECONDS:.0f} s") from None

    async def _check_thread(self, tenant: str, thread_id: UUID, kind: Kind) -> None:
        """One that is not there is made."""
        with suppress(NotFound):
            graph = (await self._threads.get(tenant, thread_id)).graph
            if graph not in (None, kind):
                raise Conflict(f"thread {thread_id} belongs to graph '{graph}', not '{kind}'; leave thread_id out")


def _new(body: Mapping[str, Any], chosen: Any, thread_id: UUID | None) -> NewRun:
    return new_run(body, chosen, thread_id=thread_id, request_id=str(uuid4()), now_ms=time.time_ns() // 1_000_000)
