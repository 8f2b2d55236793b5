"""The HTTP application and its lifespan. Start reading here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from server.application.config import read_config
from server.application.mounted import UserRoutes, running
from server.application.shapes import HttpConfig
from server.concurrency import Concurrency
from server.errors import install_error_handlers
from server.guard import cors_of, install_guard
from server.lab import open_lab
from server.openapi import Described
from server.routes import (
    about,
    agents,
    assistants,
    cache,
    crews,
    crons,
    execute,
    executions,
    flows,
    health,
    history,
    inference,
    jobs,
    metrics,
    models,
    monitoring,
    orchestrate,
    run_streams,
    runs,
    store,
    thread_states,
    thread_stream,
    threads,
    ws,
)
from server.settings import Settings
from server.telemetry.access import Access
from server.telemetry.meters import new_telemetry
from server.telemetry.port import open_metrics_port
from server.telemetry.requests import Counting
from server.telemetry.scraping import scrape
from server.worker_processes import open_worker_processes

TEAMS = (crews.router, jobs.router, crews.one, flows.router, executions.router, monitoring.router)
"""Crews, flows and what becomes of them."""

GROUPS: Mapping[str, tuple[APIRouter, ...]] = {
    "lab": (
        health.router,
        health.api,
        models.router,
        models.api,
        cache.router,
        inference.router,
        orchestrate.router,
        execute.router,
        history.router,
        ws.router,
        agents.router,
        metrics.api,
        *TEAMS,
    ),
    "alive": (about.alive,),
    "meta": (about.router, metrics.router),
    "assistants": (assistants.router,),
    "threads": (threads.router, thread_states.router),
    "runs": (runs.router, run_streams.router, thread_stream.router),
    "crons": (crons.router,),
    "store": (store.router,),
}
"""Routes by the name under which langgraph.json's `http` switches them off: `disable_threads` and so on."""


def create_app(settings: Settings) -> FastAPI:
    """The application over its settings; everything it holds is opened by the lifespan and closed with it.

    When opening fails, `app.state.failure` holds the error, for `lab serve` to tell it. Raises BadRequest for
    a mistake in the langgraph.json.
    """
    config = read_config(settings.config) if settings.config is not None else None
    http = config.http if config is not None else HttpConfig()
    telemetry = new_telemetry()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_lab(settings, config, works=settings.workers > 0, telemetry=telemetry) as lab:
                app.state.lab = lab
                async with (
                    running(app, lab.application.app),
                    open_metrics_port(lambda: scrape(lab), settings.host, settings.metrics_port),
                    open_worker_processes(settings, max(0, settings.workers - 1)),
                ):
                    yield
        except Exception as error:
            app.state.failure = error
            raise

    prefix = http.mount_prefix or ""
    app = _Named(
        prefix,
        title="Agent Lab",
        version=version("agent-lab"),
        lifespan=lifespan,
        openapi_url=None if http.disable_meta else f"{prefix}/openapi.json",
        docs_url=f"{prefix}/docs",
        redoc_url=f"{prefix}/redoc",
    )
    install_error_handlers(app)
    # The innermost first: each that is added is asked before those.
    app.add_middleware(Counting, requests=telemetry.requests)
    if http.app is not None:
        app.add_middleware(UserRoutes)
    app.add_middleware(Concurrency, most=settings.max_concurrent)
    install_guard(app, cors_of(settings.allowed_origins, http.cors), settings.max_body)
    for router in routers(http):
        app.include_router(router, prefix=prefix)
    paths = {route.path for router in routers(http) for route in router.routes if isinstance(route, APIRoute)}
    app.state.served = frozenset(prefix + path for path in paths)
    if prefix:  # for those who watch the process and know nothing of what it serves
        app.include_router(about.alive, include_in_schema=False)
    return app


class _Named(Described):
    """With execution ids around everything, the answer to unforeseen errors included."""

    def __init__(self, prefix: str, **described: Any) -> None:
        super().__init__(**described)
        self._prefix = prefix

    def build_middleware_stack(self) -> ASGIApp:
        return Access(super().build_middleware_stack(), self._prefix)


def routers(http: HttpConfig) -> Iterator[APIRouter]:
    """Those that are not switched off. Crons are runs: they go with them."""
    off = {name for name in GROUPS if getattr(http, f"disable_{name}", False)}
    off |= {"crons"} if "runs" in off else set()
    for name, group in GROUPS.items():
        if name not in off:
            yield from group
