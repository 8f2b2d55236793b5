"""The composition root: everything a process needs, opened in order of need and closed in reverse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from graphs.plugins import load_plugins
from graphs.services import Services, lab_tools
from llm.embeddings import HASHING
from llm.models import LocalModels, open_models
from llm.providers.base import Access
from server.db.pool import Database, open_database
from server.db.runs import Runs
from server.db.worker import open_worker
from server.runner import Runner
from server.settings import Settings

TENANT = "default"
"""The one tenant until authentication exists."""


@dataclass(frozen=True)
class Lab:
    """What routes and commands are handed."""

    settings: Settings
    database: Database
    models: LocalModels
    runs: Runs
    runner: Runner


@asynccontextmanager
async def open_lab(settings: Settings) -> AsyncIterator[Lab]:
    """Open models, Postgres and the runner. Raises BadRequest, NoDatabase, DataDirBusy."""
    # The catalogue first: a mistake in it is found before Postgres is started.
    models = open_models_of(settings)
    try:
        plugins = load_plugins(settings.plugins)
        async with open_database(settings, models.embeddings) as database, open_worker(database.dsn) as worker:
            runs = Runs(database.pool, worker, tenant_id=TENANT)
            services = Services(
                models=models,
                tools=lab_tools(models, settings.saved_outputs),
                plugins=plugins,
                embed=models.embeddings.embed_documents if settings.embedder != HASHING else None,
                request_timeout_sec=settings.request_timeout,
            )
            yield Lab(settings, database, models, runs, Runner(database, runs, services))
    finally:
        models.close()


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
