"""The HTTP application and its lifespan. Start reading here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from server.errors import install_error_handlers
from server.guard import Guard
from server.lab import open_lab
from server.routes import health, inference, models, orchestrate
from server.settings import Settings
from state.errors import LabError


def create_app(settings: Settings) -> FastAPI:
    """The application over its settings; everything it holds is opened by the lifespan and closed with it.

    When opening fails, `app.state.failure` holds the error, for `lab serve` to tell in one line.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with open_lab(settings) as lab:
                app.state.lab = lab
                yield
        except LabError as error:
            app.state.failure = error
            raise

    app = FastAPI(title="Agent Lab", version=version("agent-lab"), lifespan=lifespan)
    install_error_handlers(app)
    app.add_middleware(CORSMiddleware, allow_origins=settings.allowed_origins, allow_methods=["*"], allow_headers=["*"])
    # Added last, so it is asked first.
    app.add_middleware(Guard, allowed_origins=settings.allowed_origins)
    for resource in (health, models, inference, orchestrate):
        app.include_router(resource.router)
    return app
