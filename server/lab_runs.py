"""Runs of the lab's own graphs as its routes ask for them: clients of the run queue, streamed in the lab's words."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from graphs.services import Services
from server.application.graphs import Application
from server.db.assistant_shapes import system_id
from server.db.json_values import exact_json
from server.db.pool import Database
from server.db.runs import Runs
from server.db.threads import Threads
from server.job_requests import Pinned
from server.resuming import resume_input
from server.run_queue.asking import new_run
from server.run_queue.queue import RunQueue
from server.run_queue.shapes import Run
from server.run_request import RunRequest, check_request, continued
from server.snapshots import snapshot
from server.streaming.events import Event
from server.streaming.frames import END, Frame
from server.streaming.hub import Hub
from server.streaming.lab_nodes import NODES
from server.streaming.lab_stream import CANCELLED, LAB, LAST, last_of, raised
from state.errors import Conflict, NotFound, Unavailable


class LabRuns:
    """Methods raise NoDatabase where Postgres is away."""

    def __init__(
        self,
        application: Application,
        services: Services,
        database: Database,
        runs: Runs,
        threads: Threads,
        queue: RunQueue,
        hub: Hub,
    ) -> None:
        self._application = application
        self._services = services
        self._database = database
        self._runs = runs
        self._threads = threads
        self._queue = queue
        self._hub = hub

    def check(self, request: RunRequest) -> None:
        """Refuse what can be seen to be wrong before anything is written. Raises BadRequest, NotFound."""
        check_request(request, self._services)

    async def start(
        self,
        tenant: str,
        request: RunRequest,
        *,
        run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout_sec: float | None = None,
        on_disconnect: str | None = None,
        webhook: str | None = None,
    ) -> Run:
        """Put a run into the queue; when this returns it is durable.

        `run_id`: the request's execution id. `timeout_sec`: bound of the whole run, from its begin. `on_disconnect`:
        kept with it, for those who listen. `webhook`: checked by the caller. Raises BadRequest, NotFound, Conflict:
        another run is at work on the thread, it belongs to another graph, or there is nothing to resume.
        """
        self.check(request)
        graph_id = self._application.lab_graph(request.graph)
        given = await self._given(tenant, request, graph_id)
        exact_json("input", [given["input"], given.get("command"), given["context"], dict(metadata or {})])
        body = {
            **given,
            "stream_resumable": True,
            "on_completion": "keep",
            "if_not_exists": "create",
            "multitask_strategy": "reject",
            # Of one node there is nothing to go on with: its one checkpoint is written with its end.
            "durability": "exit" if request.graph == "direct" else "sync",
            "metadata": {"own_thread": request.thread_id is None, **(metadata or {})},
            "webhook": webhook,
        }
        chosen = Pinned(system_id(graph_id), graph_id, {}, {}, {})
        now_ms = time.time_ns() // 1_000_000
        new = new_run(body, chosen, thread_id=request.thread_id, request_id=str(uuid4()), now_ms=now_ms)
        ours = {"stream_mode": [LAB], "timeout_sec": timeout_sec, "on_disconnect": on_disconnect}
        return await self._queue.admit(tenant, replace(new, run_id=run_id, kwargs={**new.kwargs, **ours}))

    async def ended(self, tenant: str, run: Run, noted: list[Frame] | None = None) -> Event:
        """Wait for the end of a run: `result`, or `interrupt` with all that is asked as `interrupts`.

        `noted` is given the events that tell of nodes, so that nobody has to read them again. Raises what ended it
        otherwise, any error of the tree; Unavailable where this process stops first.
        """
        ends: list[Event] = []
        over = False
        async for frames in self._frames(tenant, run):
            ends += [_event(frame) for frame in frames if frame.name in LAST]
            over = frames[-1].name == END
            if noted is not None:
                noted += [frame for frame in frames if frame.name in NODES]
        last = last_of(ends)
        if last is None:
            if self._hub.leaving and not over:
                raise Unavailable(f"this server is stopping; run {run.run_id} goes on, ask for it again")
            raise Conflict(CANCELLED)
        if last.name == "error":
            raise raised(last.data)
        return last

    async def _frames(self, tenant: str, run: Run) -> AsyncIterator[Sequence[Frame]]:
        """All that a run says: in one piece at its end where it is at work here, so that nothing wakes before."""
        here = self._hub.log_of(run.run_id)
        if here is not None:
            await here.closed.wait()
            if here.ending is not None and here.first == 1:
                yield here.after(0, written_only=False)
                return
        async for frames in self._hub.read(tenant, run, 0):
            yield frames

    async def _given(self, tenant: str, request: RunRequest, graph_id: str) -> dict[str, Any]:
        """Input or command, and context. Raises what `resume_input` does, Conflict for another graph's thread."""
        if request.thread_id is not None:
            await self._check_thread(tenant, request.thread_id, graph_id, must_be=request.resume)
        if not request.resume or request.thread_id is None:
            context = continued(request, None).model_dump(mode="json", exclude_unset=True)
            return {"input": {"messages": [{"role": "user", "content": request.prompt or ""}]}, "context": context}
        before = await self._runs.newest_run(request.thread_id)
        context = continued(request, before.context if before else None).model_dump(mode="json", exclude_unset=True)
        state = await self._snapshot(tenant, request.thread_id, graph_id)
        command = resume_input(request.thread_id, state, request.decision, request.interrupt_id, self._services)
        answer = {} if command is None else {"command": {"resume": command.resume}}
        return {"input": None, "context": context, **answer}

    async def _check_thread(self, tenant: str, thread_id: UUID, graph_id: str, *, must_be: bool) -> None:
        try:
            found = (await self._threads.get(tenant, thread_id)).graph
        except NotFound:
            if must_be:
                why = "no run of it has come to a checkpoint"
                raise Conflict(f"thread {thread_id} has nothing to resume: {why}") from None
            return
        if found not in (None, graph_id):
            raise Conflict(f"thread {thread_id} belongs to graph {found!r}, not {graph_id!r}; start a new thread")

    async def _snapshot(self, tenant: str, thread_id: UUID, graph_id: str) -> StateSnapshot:
        async with self._application.graph(
            graph_id,
            access="threads.read",
            checkpointer=self._database.checkpointer,
            store=self._database.store_of(tenant),
        ) as graph:
            return await snapshot(graph, RunnableConfig(configurable={"thread_id": str(thread_id)}))


def _event(frame: Frame) -> Event:
    return Event(frame.name, orjson.loads(frame.data))  # type: ignore[arg-type]  # one of LAST
