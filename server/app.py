"""The HTTP application and its lifespan. Start reading here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from server.application.config import read_config
from server.application.mounted import UserRoutes, running
from server.application.shapes import HttpConfig
from server.errors import install_error_handlers
from server.guard import cors_of, install_guard
from server.lab import open_lab
from server.metrics import Counting, Requests
from server.openapi import Described
from server.routes import (
    about,
    agents,
    assistants,
    crews,
    crons,
    executions,
    flows,
    health,
    inference,
    jobs,
    models,
    monitoring,
    orchestrate,
    run_streams,
    runs,
    store,
    thread_states,
    thread_stream,
    threads,
)
from server.settings import Settings
from server.worker_processes import open_worker_processes

TEAMS = (crews.router, jobs.router, crews.one, flows.router, executions.router, monitoring.router)
"""Crews, flows and what becomes of them."""

GROUPS: Mapping[str, tuple[APIRouter, ...]] = {
    "lab": (health.router, models.router, inference.router, orchestrate.router, agents.router, *TEAMS),
    "alive": (about.alive,),
    "meta": (about.router,),
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

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_lab(settings, config, works=settings.workers > 0) as lab:
                app.state.lab = lab
                async with (
                    running(app, lab.application.app),
                    open_worker_processes(settings, max(0, settings.workers - 1)),
                ):
                    yield
        except Exception as error:
            app.state.failure = error
            raise

    prefix = http.mount_prefix or ""
    app = Described(
        title="Agent Lab",
        version=version("agent-lab"),
        lifespan=lifespan,
        openapi_url=None if http.disable_meta else f"{prefix}/openapi.json",
        docs_url=f"{prefix}/docs",
        redoc_url=f"{prefix}/redoc",
    )
    app.state.requests = Requests()
    install_error_handlers(app)
    # The innermost first: each that is added is asked before those.
    app.add_middleware(Counting, requests=app.state.requests)
    if http.app is not None:
        app.add_middleware(UserRoutes)
    install_guard(app, cors_of(settings.allowed_origins, http.cors), settings.max_body)
    for router in routers(http):
        app.include_router(router, prefix=prefix)
    if prefix:  # for those who watch the process and know nothing of what it serves
        app.include_router(about.alive, include_in_schema=False)
    return app


def routers(http: HttpConfig) -> Iterator[APIRouter]:
    """Those that are not switched off. Crons are runs: they go with them."""
    off = {name for name in GROUPS if getattr(http, f"disable_{name}", False)}
    off |= {"crons"} if "runs" in off else set()
    for name, group in GROUPS.items():
        if name not in off:
            yield from group
