"""The composition root: everything a process needs, opened in order of need and closed in reverse."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from graphs.flows.shipped import read_folder, shipped_flows
from graphs.plugins import load_plugins
from graphs.services import Services, lab_tools
from llm.embeddings import HASHING
from llm.models import LocalModels, open_models
from llm.providers.base import Access
from server.agents.needs import open_needs
from server.agents.opening import OpenedAgents
from server.application.config import AppConfig
from server.application.graphs import Application, open_application
from server.application.nested import NestedGraphs
from server.application.shapes import WebhooksConfig
from server.db.assistants import Assistants
from server.db.crons import Crons
from server.db.history import History
from server.db.jobs import Jobs
from server.db.listeners import ListenerRows
from server.db.pool import Database, open_database
from server.db.run_events import RunEvents
from server.db.runs import Runs
from server.db.store_sweep import StoreSweeper
from server.db.telemetry import QueueReadings
from server.db.threads import Lifetime, Threads
from server.db.timing import timed
from server.db.worker import open_worker
from server.definitions import Definitions, Source
from server.executions import Executions
from server.histories import Histories
from server.history_sweep import HistorySweeper
from server.job_webhook import cancelled_delivery, job_delivery
from server.lab_runs import LabRuns
from server.later import Later
from server.messages.bus import Bus
from server.retention import LIMIT, Retention
from server.run_queue.asking import new_run
from server.run_queue.crons import CronScheduler, Prepare
from server.run_queue.opening import open_queue
from server.run_queue.queue import RunQueue
from server.run_queue.shapes import NewRun
from server.run_queue.webhooks import WebhookSender, open_webhooks
from server.runner import Runner
from server.settings import Settings, process_environment
from server.streaming.hub import Hub
from server.streaming.listeners import Listeners, open_listeners
from server.streaming.websocket import Bounds
from server.telemetry.meters import Telemetry, new_telemetry
from server.telemetry.readings import Looker
from server.thread_states import ThreadStates
from state.agent_ports import AgentNeeds
from state.errors import BadRequest
from state.flows import FlowSpec

log = logging.getLogger(__name__)

TENANT = "default"
"""The one tenant until authentication exists."""


@dataclass(frozen=True)
class Lab:
    """What routes and commands are handed."""

    settings: Settings
    database: Database
    models: LocalModels
    application: Application
    runs: Runs
    runner: Runner
    queue: RunQueue
    hub: Hub
    threads: Threads
    thread_states: ThreadStates
    retention: Retention
    assistants: Assistants
    webhooks: WebhookSender
    crons: Crons
    needs: AgentNeeds
    """What crews and flows are built over, of the one tenant that there is."""
    agents: OpenedAgents
    bus: Bus
    definitions: Definitions
    executions: Executions
    histories: Histories
    lab_runs: LabRuns
    listeners: Listeners
    socket_bounds: Bounds
    """Of a WebSocket."""
    telemetry: Telemetry
    queue_readings: QueueReadings
    looker: Looker


@asynccontextmanager
async def open_lab(
    settings: Settings, config: AppConfig | None = None, *, works: bool = False, telemetry: Telemetry | None = None
) -> AsyncIterator[Lab]:
    """Open models, the application, Postgres, the runner and the queue. Raises BadRequest, NoDatabase, DataDirBusy.

    `config`: what `settings.config` says, where that has been read already. `works`: this process runs what is queued.
    `telemetry`: what counts here; None: one of its own.
    """
    telemetry = telemetry or new_telemetry()
    # The catalogue first: a mistake in it is found before Postgres is started.
    models = open_models_of(settings)
    try:
        services = Services(
            models=models,
            tools=lab_tools(models, settings.saved_outputs),
            plugins=load_plugins(settings.plugins),
            embed=models.embeddings.embed_documents if settings.embedder != HASHING else None,
            request_timeout_sec=settings.request_timeout,
        )
        # Agents need the database, which is opened for the types that the application's states hold.
        staff: Later[AgentNeeds] = Later("agents")
        application = await open_application(config, services, staff)
        async with (
            open_database(
                settings,
                # An application's store finds by meaning only where its file says how, as on the reference server.
                models.embeddings if config is None else None,
                ttl=None if config is None else config.store.lifetime(),
                types=application.types(),
                index=application.index,
                kind=timed(telemetry.database),
            ) as database,
            open_worker(database.dsn, settings.lease_seconds) as worker,
        ):
            runs = Runs(database.pool, worker, tenant_id=TENANT)
            crons = Crons(database.pool, database.dsn)
            items = None if config is None else config.store.ttl
            sweeper = StoreSweeper(
                database.pool, database.dsn, _now, interval_minutes=items.sweep_interval_minutes if items else None
            )
            assistants = Assistants(database.pool, database.dsn, application.names)
            await assistants.ensure_system(TENANT, application.labels())
            ttl = None if config is None else config.checkpointer.ttl
            lifetime = Lifetime(ttl.strategy, ttl.default_ttl) if ttl is not None and ttl.default_ttl else None
            threads = Threads(database.pool, database.dsn, lifetime=lifetime)
            thread_states = ThreadStates(threads, application, database.checkpointer, database.store_of)
            interval = None if ttl is None else ttl.sweep_interval_minutes
            limit = LIMIT if ttl is None else ttl.sweep_limit
            history = History(database.pool, database.dsn)
            queue_readings = QueueReadings(database.pool, database.dsn)
            retention = Retention(database.pool, database.dsn, interval_minutes=interval, limit=limit)
            definitions = Definitions(assistants, staff, settings.allowed_networks)
            webhooks_on = config is None or not config.http.disable_webhooks
            async with (
                open_needs(
                    settings,
                    database,
                    worker,
                    models=models,
                    tools=services.tools,
                    graphs=NestedGraphs(application, assistants, TENANT),
                    tenant=TENANT,
                    environment=process_environment(),
                    works=works,
                    ready=staff.set,
                    ended=telemetry.agents.ended,
                ) as opened,
                open_queue(
                    application,
                    database,
                    worker,
                    works=works,
                    webhook=job_delivery if webhooks_on else _not_told,
                    address=settings.address,
                    lifetime=lifetime,
                    meter=telemetry.runs,
                ) as (queue, hub),
                open_listeners(
                    ListenerRows(database.pool, database.dsn),
                    lambda tenant, run_id: queue.cancel(tenant, [run_id], "interrupt"),
                ) as listeners,
                open_webhooks(
                    WebhooksConfig() if config is None else config.webhooks,
                    database,
                    networks=settings.allowed_networks,
                    own_address=settings.address,
                    environment=process_environment(),
                ) as webhooks,
                retention.running() if works else nullcontext(),
                HistorySweeper(history, database.store_of, settings.history_days).running()
                if works and settings.history_days is not None
                else nullcontext(),
                sweeper.running() if works else nullcontext(),
                CronScheduler(crons, queue, cron_runs(assistants), _now).running() if works else nullcontext(),
            ):
                await definitions.ensure_flows(TENANT, await asyncio.to_thread(_flows, settings.flows_dir))
                yield Lab(
                    settings=settings,
                    database=database,
                    models=models,
                    application=application,
                    runs=runs,
                    runner=Runner(database, runs, services),
                    queue=queue,
                    hub=hub,
                    threads=threads,
                    thread_states=thread_states,
                    retention=retention,
                    assistants=assistants,
                    webhooks=webhooks,
                    crons=crons,
                    needs=opened.needs,
                    agents=opened.agents,
                    bus=opened.bus,
                    definitions=definitions,
                    histories=Histories(
                        history,
                        RunEvents(database.pool, database.dsn, database.committer),
                        queue,
                        threads,
                        thread_states,
                        database.store_of,
                    ),
                    lab_runs=LabRuns(application, services, database, runs, threads, queue, hub),
                    listeners=listeners,
                    socket_bounds=Bounds(),
                    telemetry=telemetry,
                    queue_readings=queue_readings,
                    looker=Looker(
                        queue_readings,
                        opened.agents,
                        opened.bus,
                        models,
                        database.pool,
                        settings.data_dir,
                        TENANT,
                    ),
                    executions=Executions(
                        Jobs(database.pool, database.dsn),
                        queue,
                        threads,
                        thread_states,
                        webhooks,
                        said=opened.bus.history,
                        cancelled=cancelled_delivery if webhooks_on else _not_told,
                    ),
                )
    finally:
        models.close()


def _flows(folder: Path | None) -> list[tuple[FlowSpec, Source]]:
    """The flows that are there from the start: the shipped ones, and of the same id those of the operator's folder.

    Raises BadRequest: there is no such folder.
    """
    flows: dict[str, tuple[FlowSpec, Source]] = {name: (spec, "shipped") for name, spec in shipped_flows().items()}
    if folder is None:
        return list(flows.values())
    if not folder.is_dir():
        raise BadRequest(f"LAB_FLOWS_DIR: {folder} is no folder; make it, or name another")
    read = read_folder(folder)
    for fault in read.faults:
        log.warning("LAB_FLOWS_DIR: %s", fault)
    return list({**flows, **{name: (spec, "folder") for name, spec in read.flows.items()}}.values())


def _not_told(ended: object, how: object) -> None:
    """Where langgraph.json switches webhooks off."""


def cron_runs(assistants: Assistants) -> Prepare:
    """How a cron's runs are made: as a request with its body would make them."""

    async def prepare(tenant: str, body: Mapping[str, Any], thread_id: UUID | None) -> NewRun:
        assistant = await assistants.resolve(tenant, body["assistant_id"])
        return new_run(
            body, assistant, thread_id=thread_id, request_id=str(uuid4()), now_ms=time.time_ns() // 1_000_000
        )

    return prepare


def _now() -> datetime:
    return datetime.now(UTC)


def open_models_of(settings: Settings) -> LocalModels:
    """The models that the settings describe; nothing is loaded yet. Raises BadRequest."""
    return open_models(
        models_file=settings.models_file,
        models_store=settings.data_dir / "models.yaml",
        hub_url=settings.hub_url,
        default_model=settings.default_model,
        default_strategy=settings.default_strategy,
        budget_bytes=settings.max_vram_usage,
        keep_alive=settings.keep_alive,
        online=not settings.offline,
        hf_token=settings.hf_token.get_secret_value() if settings.hf_token else None,
        quantised_dir=settings.data_dir / "quantised",
        access=Access(settings.keys, online=not settings.offline, timeout_sec=settings.request_timeout),
        response_cache=settings.response_cache,
        embedder=settings.embedder,
    )
