"""The run queue of a process, opened in order of need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from server.application.graphs import Application
from server.db.notices import EVENTS, RUNS, STOP, open_notices
from server.db.pool import Database
from server.db.queue import QueueRows
from server.db.run_events import RunEvents
from server.db.threads import Lifetime
from server.db.worker import Worker as Life
from server.run_queue.executor import Executor
from server.run_queue.queue import RunQueue
from server.run_queue.shapes import Ending, Run
from server.run_queue.worker import Worker
from server.streaming.hub import Hub, open_hub
from server.telemetry.runs import RunMeter


@asynccontextmanager
async def open_queue(
    application: Application,
    database: Database,
    life: Life,
    *,
    works: bool,
    webhook: Callable[[Run, Ending], tuple[str, bytes] | None] = lambda run, ending: None,
    address: str | None = None,
    lifetime: Lifetime | None = None,
    meter: RunMeter | None = None,
) -> AsyncIterator[tuple[RunQueue, Hub]]:
    """`works`: this process runs what is queued; else it only accepts runs and hears of them. Raises NoDatabase.

    `webhook`: URL and body of what is told when a run has ended. `address`: of this server, as runs are told it.
    `lifetime`: of the threads that runs make. `meter`: counts the runs of this process; None: one that nobody reads.
    """
    rows = QueueRows(database.pool, database.dsn, lifetime)
    events = RunEvents(database.pool, database.dsn, database.committer)
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(open_hub(events))
        heard: dict[str, Callable[[str], None]] = {EVENTS: hub.heard}
        worker = None
        if works:
            executor = Executor(
                application, database, rows, events, hub, webhook, lambda: working.wake(), address, meter
            )
            worker = working = Worker(rows, hub, life, executor, webhook=webhook, lost=executor.meter.lost)
            hub.on_lost = worker.lose
            heard |= {RUNS: worker.wake, STOP: worker.heard_stop}
        await stack.enter_async_context(open_notices(database.dsn, heard))
        if worker is not None:
            await stack.enter_async_context(worker.running())
        yield RunQueue(rows, hub, worker), hub
