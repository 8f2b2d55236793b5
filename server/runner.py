"""Running a graph on a thread: recorded in Postgres, told as events, stopped when nobody listens."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import NodeTimeoutError
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot
from structlog.contextvars import bind_contextvars

from graphs.catalog import BUILDERS, RECURSION_LIMIT
from graphs.services import Services
from server.db.pool import Database
from server.db.runs import Outcome, Runs
from server.resuming import resume_input
from server.run_request import RunRequest, check_request, continued
from server.streaming.apart import produced_apart
from server.streaming.events import STREAM_MODES, Event, Translator, to_json
from state.context import Context
from state.errors import Broken, Conflict, LabError, TimedOut

log = logging.getLogger(__name__)


class Runner:
    """The one way from a request to a run, for the terminal and for HTTP."""

    def __init__(self, database: Database, runs: Runs, services: Services) -> None:
        self._runs = runs
        self._services = services
        self._checkpointer = database.checkpointer
        self._graphs: Mapping[str, CompiledStateGraph[Any, Any, Any, Any]] = {
            name: builder(services).compile(database.checkpointer, store=database.store, name=name)
            for name, builder in BUILDERS.items()
        }

    def run(self, request: RunRequest) -> AsyncGenerator[Event, None]:
        """Run to the end, to an interrupt or to an error, telling each step.

        The last event is `result` or `interrupt`; errors are raised after they are recorded: BadRequest and its
        branches, Unavailable, Broken. Closing the generator or cancelling its task stops the model and leaves the
        thread resumable at its last checkpoint.
        """
        return produced_apart(self._run(request))

    async def _run(self, request: RunRequest) -> AsyncGenerator[Event, None]:
        check_request(request, self._services)
        graph = self._graphs[request.graph]
        thread_id = request.thread_id or uuid4()
        config = RunnableConfig(configurable={"thread_id": str(thread_id)}, recursion_limit=RECURSION_LIMIT)
        self._input(request, thread_id, await graph.aget_state(config))
        context = await self._context(request, thread_id)
        asked = {"prompt": request.prompt} | ({} if request.decision is None else {"decision": request.decision})
        lease = await self._runs.begin(thread_id, request.graph, asked, context.model_dump(mode="json"))
        # Another process that took the thread over, thinking this one dead, cannot be written over.
        graph = graph.copy({"checkpointer": self._checkpointer.fenced(lease)})
        run_id = config["run_id"] = lease.run_id
        # In the task of `produced_apart`, which is this run's alone.
        bind_contextvars(run_id=str(run_id), thread_id=str(thread_id), graph=request.graph)
        config["metadata"] = {"run_id": str(run_id), "graph_id": request.graph}
        status: Outcome = "interrupted"
        error, result, waits = None, None, False
        try:
            # Read again now that the thread is ours: another run may have finished it meanwhile.
            before = await graph.aget_state(config)
            graph_input = self._input(request, thread_id, before)
            identity = {"run_id": str(run_id), "thread_id": str(thread_id), "graph": request.graph}
            yield Event("run", {**identity, "next": list(before.next) if request.resume else []})
            translator = Translator(time.monotonic)
            parts: Any = graph.astream(
                graph_input,
                config,
                context=context,
                stream_mode=STREAM_MODES,
                durability="sync",
                version="v2",
            )
            async with aclosing(parts):
                async for part in parts:
                    for event in translator.translate(part):
                        yield event
            after = await graph.aget_state(config)
            waits = bool(after.interrupts)
            if not waits:
                status, result = "success", to_json(after.values["result"])
        except LabError as failure:
            status, error = "error", str(failure)
            raise
        except NodeTimeoutError as failure:
            bound = self._services.request_timeout_sec
            status, error = "timeout", f"{failure.node} took longer than {bound:g} s"
            raise TimedOut(f"{error}; raise LAB_REQUEST_TIMEOUT or ask for fewer tokens") from failure
        except Exception as failure:
            status, error = "error", f"{type(failure).__name__}: {failure}"
            raise Broken(f"the run failed: {error}") from failure
        finally:
            await self._record(run_id, status, result, error, waits=waits)
        # Told only now: whoever has seen the end of a run finds it recorded.
        for pending in after.interrupts:
            yield Event("interrupt", {**identity, "interrupt_id": pending.id, "value": to_json(pending.value)})
        if result is not None:
            yield Event("result", {**identity, **result})

    def _input(
        self, request: RunRequest, thread_id: UUID, before: StateSnapshot
    ) -> dict[str, Any] | Command[Any] | None:
        """What the graph is given: a message, a human's answer, or None to go on. Raises what `resume_input` does."""
        if not request.resume:
            return {"messages": [HumanMessage(content=request.prompt or "")]}
        return resume_input(thread_id, before, request.decision, request.interrupt_id, self._services)

    async def _context(self, request: RunRequest, thread_id: UUID) -> Context:
        before = await self._runs.newest_run(thread_id) if request.resume else None
        return continued(request, before.context if before else None)

    async def _record(self, run_id: UUID, status: Outcome, result: object, error: str | None, *, waits: bool) -> None:
        """Write the outcome down. Raises Conflict when a result came after another process took the run over."""
        try:
            await self._runs.finish(run_id, status, result=result, error=error, waits=waits)
        except Conflict as lost:
            if status == "success":
                raise
            log.warning("%s", lost)  # the failure that ended this run is on its way; it says more
