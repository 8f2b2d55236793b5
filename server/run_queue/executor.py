"""One claimed run from its input or its last checkpoint to its recorded end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph

from server.application.graphs import Application
from server.db.claims import Claimed, ClaimRows
from server.db.pool import Database
from server.db.queue import MAX_ATTEMPTS
from server.db.queue_values import first_event
from server.db.run_events import RunEvents
from server.run_queue.away import is_away, surely
from server.run_queue.bounds import at_most
from server.run_queue.endings import cancelled, failed, finished
from server.run_queue.shapes import Ending, Run
from server.run_queue.worker import Working
from server.snapshots import snapshot
from server.streaming.errors import error_payload
from server.streaming.execution import calling_back, run_graph, stream_options
from server.streaming.frames import END, Frame
from server.streaming.hub import Hub
from server.streaming.inputs import API_VERSION, graph_config, graph_context, graph_input, mirrored
from server.streaming.lab_stream import beginning, is_lab, last_words
from server.streaming.log import RunLog
from server.streaming.modes import Outcome
from server.telemetry.meters import new_telemetry
from server.telemetry.runs import RunMeter, RunWatch
from server.wire.values import encode
from state.errors import BadRequest, Conflict, LostLease

Graph = CompiledStateGraph[Any, Any, Any, Any]

log = logging.getLogger(__name__)


class Executor:
    """Runs what a worker has claimed. `wake`: called where another run of the thread can start."""

    def __init__(
        self,
        application: Application,
        database: Database,
        rows: ClaimRows,
        events: RunEvents,
        hub: Hub,
        webhook: Callable[[Run, Ending], tuple[str, bytes] | None],
        wake: Callable[[], None],
        address: str | None,
        meter: RunMeter | None = None,
    ) -> None:
        self._application = application
        self._database = database
        self._rows = rows
        self._events = events
        self._hub = hub
        self._webhook = webhook
        self._wake = wake
        self._address = address
        self.meter = meter or new_telemetry().runs

    async def __call__(self, working: Working) -> None:
        """Run to the end and record it; whatever goes wrong concerns this run alone."""
        run = working.claimed.run
        try:
            said = await surely(lambda: self._open(working.claimed))
        except LostLease as error:
            log.warning("%s", error)
            return
        watch = self.meter.begin(run.graph_id, attempt=run.attempt, waited_sec=working.claimed.waited_sec)
        try:
            await self._run(working, said, watch)
        except Conflict as error:  # LostLease is one
            log.warning("%s", error)
            said.lose()
        except Exception as error:
            log.exception("run %s could not be recorded", run.run_id)
            await self._end_without_state(working.claimed, said, error)
        finally:
            self._hub.close(said)
            watch.end(None if said.ending is None else said.ending.standing)

    async def _run(self, working: Working, said: RunLog, watch: RunWatch) -> None:
        run, outcome = working.claimed.run, Outcome()
        error: Exception | None = None
        cut = True
        try:
            with working.may_be_cut():
                await self._work(working, said, outcome, watch)
            cut = False
        except asyncio.CancelledError:
            if working.reason is None and not working.is_cut:
                # Put back as one of a stopping worker it would do the same again, and again.
                error, cut = RuntimeError("a node was cancelled by its own code"), False
            else:
                working.reason = working.reason or "drain"
        except GraphDrained:
            working.reason = "drain"
        except LostLease:
            working.reason = "lost"
        except Exception as failure:
            error, cut = failure, False
        await working.settled()
        if not cut and (working.reason == "drain" or (working.reason == "interrupt" and error is None)):
            working.reason = None  # it had come to its end before it could be stopped
        if is_away(error) and working.reason is None and run.attempt < MAX_ATTEMPTS:
            log.warning("run %s goes back to the queue: %s", run.run_id, error)
            said.lose()
            await surely(lambda: self._put_back(working.claimed, counted=True))
            return
        match working.reason:
            case "lost":
                log.warning("run %s is no longer this worker's; it is left alone", run.run_id)
                said.lose()
            case "drain":
                await self._hand_back(working.claimed, said)
            case "rollback":
                await self._roll_back(working.claimed, said)
            case "interrupt":
                ending = cancelled(run, *await self._state(working.claimed))
                await self._record(working.claimed, said, ending)
            case None if error is not None:
                log.info("run %s failed", run.run_id, exc_info=error)
                ending = failed(run, error, *await self._state(working.claimed))
                await self._record(working.claimed, said, ending)
            case None:
                await self._record(working.claimed, said, finished(run, outcome))

    async def _open(self, claimed: Claimed) -> RunLog:
        """The run's log: its first event was written when it was accepted; a later attempt says so before all else."""
        run = claimed.run
        if run.attempt == 1:
            said = self._hub.open(claimed.tenant, run.lease, 1, careful=run.resumable)
            said.say("metadata", first_event(run.run_id, 1))
            said.already_written()
            return said
        last = await self._events.last_seq(claimed.tenant, run.run_id)
        said = self._hub.open(claimed.tenant, run.lease, last + 1, careful=run.resumable)
        self._hub.say(said, "metadata", first_event(run.run_id, run.attempt))
        try:
            await self._hub.write(said)
        except BaseException:
            self._hub.close(said)
            raise
        return said

    async def _work(self, working: Working, said: RunLog, outcome: Outcome, watch: RunWatch) -> None:
        run = working.claimed.run
        config = graph_config(run, run.kwargs, attempt=run.attempt, api_version=API_VERSION, api_url=self._address)
        if "recursion_limit" not in config:
            config = {**self._application.default_config(run.graph_id), **config}
        seconds = run.kwargs.get("timeout_sec")
        async with (
            at_most(seconds),
            self._application.graph(
                run.graph_id,
                config,
                access="threads.create_run",
                checkpointer=self._database.checkpointer.fenced(
                    run.lease, new_thread=working.claimed.new_thread, first=partial(self._hub.hand_in, said)
                ),
                store=self._database.store_of(working.claimed.tenant),
                context=run.kwargs.get("context"),
            ) as graph,
        ):
            context = graph_context(run.kwargs, graph.context_schema)
            config = mirrored(config, context)
            given = graph_input(run.kwargs)
            taken_over = run.attempt > 1 and await _has_begun(graph, run)
            if is_lab(run.kwargs):
                goes_on = taken_over or run.kwargs.get("input") is None
                self._hub.say(said, *beginning(run, await _next(graph, run) if goes_on else ()))
            if taken_over:
                # What its earlier worker finished is in the checkpoints: it goes on there, as after an interrupt.
                given = None
                for name in ("checkpoint_id", "checkpoint_ns", "checkpoint_map"):
                    config["configurable"].pop(name, None)
            events = run_graph(
                graph,
                given,
                calling_back(graph, config, watch.models),
                context=context,
                options=stream_options(run.kwargs),
                control=working.control,
                outcome=outcome,
                watch=watch.task,
            )
            async with aclosing(events):
                async for name, data in events:
                    self._hub.say(said, name, data)

    async def _state(self, claimed: Claimed) -> tuple[Any, ...]:
        """What the thread's last checkpoint holds, of a run that was cut: its snapshot, or nothing."""
        run = claimed.run
        config = RunnableConfig(configurable={"thread_id": str(run.thread_id)})
        try:
            async with self._application.graph(
                run.graph_id,
                graph_config(run, run.kwargs, attempt=run.attempt, api_version=API_VERSION, api_url=self._address),
                access="threads.read",
                checkpointer=self._database.checkpointer,
                store=self._database.store_of(claimed.tenant),
            ) as graph:
                return (await snapshot(graph, config),)
        except BadRequest as error:
            # A definition that is none: whose run it is has been told.
            log.warning("the state of thread %s cannot be read: %s", run.thread_id, error)
            return (None,)
        except Exception:
            log.exception("the state of thread %s cannot be read", run.thread_id)
            return (None,)

    async def _record(self, claimed: Claimed, said: RunLog, ending: Ending) -> None:
        run = claimed.run
        ending = replace(ending, webhook=self._webhook(run, ending))
        # Told with its record: whoever has heard the end of a run finds it recorded.
        last = [*self._last_words(run, ending), (END, b"null")]
        said.over = True
        async with said.writing:
            told = [Frame(seq, name, data) for seq, (name, data) in enumerate(last, said.last + 1)]
            frames = [*said.unwritten(), *told]
            waiting = await surely(lambda: self._rows.end(claimed.tenant, run, ending, frames))
            said.ending = ending
            for name, data in last:
                said.say(name, data)
            said.already_written()
        log.info("the run has ended: %s", ending.status, extra={"status": ending.status, "attempt": run.attempt})
        if waiting:
            self._wake()

    def _last_words(self, run: Run, ending: Ending) -> Iterable[tuple[str, bytes]]:
        if is_lab(run.kwargs):
            return last_words(run, ending)
        failed = ending.error is not None and ending.status in ("error", "timeout")
        return [("error", encode(ending.error))] if failed else []

    async def _end_without_state(self, claimed: Claimed, said: RunLog, error: Exception) -> None:
        """What Postgres cannot keep, a state of more than 256 MB, say, ends the run all the same."""
        ending = Ending("error", "error", error=error_payload(error))
        try:
            await self._record(claimed, said, ending)
        except Exception:
            log.exception("run %s is left to be taken over", claimed.run.run_id)
            said.lose()

    async def _roll_back(self, claimed: Claimed, said: RunLog) -> None:
        run = claimed.run
        saver = self._database.checkpointer.fenced(run.lease)
        await surely(lambda: saver.adelete_for_runs([str(run.run_id)]))
        ending = cancelled(run, *await self._state(claimed), rolled_back=True)
        waiting = await surely(lambda: self._rows.roll_back(claimed.tenant, run, ending))
        for name, data in (*self._last_words(run, ending), (END, b"null")):
            said.say(name, data)
        said.already_written()
        if waiting:
            self._wake()

    async def _hand_back(self, claimed: Claimed, said: RunLog) -> None:
        await surely(lambda: self._hub.write(said))
        said.lose()
        await surely(lambda: self._put_back(claimed, counted=False))

    async def _put_back(self, claimed: Claimed, *, counted: bool) -> None:
        run = claimed.run
        await self._rows.put_back(claimed.tenant, run.run_id, run.thread_id, run.lease.token, counted=counted)


async def _next(graph: Graph, run: Run) -> tuple[str, ...]:
    """The nodes that the thread goes on with."""
    return tuple((await snapshot(graph, RunnableConfig(configurable={"thread_id": str(run.thread_id)}))).next)


async def _has_begun(graph: Graph, run: Run) -> bool:
    """Whether the thread's last checkpoint is one of this run's."""
    state = await snapshot(graph, RunnableConfig(configurable={"thread_id": str(run.thread_id)}))
    metadata: Mapping[str, Any] = state.metadata or {}
    return metadata.get("run_id") == str(run.run_id)
