"""`lab serve`: the HTTP server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from server.app import create_app
from server.lab import Lab
from server.settings import Settings, read_settings
from server.streaming.uvicorn_websockets import BoundedWebSockets
from server.telemetry.logs import LogWriter, open_logs
from state.errors import BadRequest, Broken, LabError

SHUTDOWN_SEC = 10
"""Open requests get this long to end after SIGTERM or Ctrl-C; then their runs are cut and stay resumable."""


def serve(
    host: Annotated[str | None, typer.Option(help="loopback address to listen on [LAB_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 takes a free one [LAB_PORT]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where everything is kept [LAB_DATA_DIR]")] = None,
    config: Annotated[
        Path | None, typer.Option(help="langgraph.json to serve; left out, the lab's own graphs [LAB_CONFIG]")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=64,
            help="processes that run runs: 1 this one, more are started beside it, 0 none here (`lab worker`) "
            "[LAB_WORKERS: 1]",
        ),
    ] = None,
) -> None:
    """Serve an application: the Agent Server API and the lab's own (`/inference`, `/orchestrate`, `/models`).

    Docs are at `/docs`. Stopped with Ctrl-C or SIGTERM, it hands runs at work back to the queue, for the next start.
    """
    settings = read_settings(host=host, port=port, data_dir=data_dir, config=config, workers=workers)
    with open_logs(settings, "serve") as logs:
        _serve(settings, logs)


def _serve(settings: Settings, logs: LogWriter) -> None:
    logging.getLogger("uvicorn.error").addFilter(_not_a_traceback)
    app = create_app(settings)
    options = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SEC,
        lifespan="on",
        ws=BoundedWebSockets,
        ws_max_size=settings.max_body,
        # A token's event is small; compressing each costs more than it saves on a loopback.
        ws_per_message_deflate=False,
    )
    server = _Server(options, app, logs)
    with _listen(settings) as listener:
        address, bound_port = listener.getsockname()[:2]
        logging.getLogger("lab").info("serving on http://%s:%s (Ctrl-C stops)", address, bound_port)
        try:
            server.run(sockets=[listener])
        except SystemExit as stopped:  # how uvicorn says that the lifespan failed
            failure: Exception | None = getattr(app.state, "failure", None)
            if isinstance(failure, LabError):
                raise failure from stopped
            raise Broken(f"the server did not start: {failure or 'the reason is above'}") from failure


class _Server(uvicorn.Server):
    """Hands runs back before it waits for open requests to end: those that listen to a run end with it."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, logs: LogWriter) -> None:
        super().__init__(config)
        self._app = app
        self._logs = logs

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._logs.flush()  # uvicorn raises SIGTERM again: then this process is gone at once

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        lab: Lab | None = getattr(self._app.state, "lab", None)
        leaving = asyncio.create_task(lab.queue.leave()) if lab is not None else None
        await super().shutdown(sockets)
        if leaving is not None:
            await leaving


def _listen(settings: Settings) -> socket.socket:
    """A bound socket, before anything else is opened. Raises BadRequest when the port is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise BadRequest(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); choose another with --port"
        ) from error


def _not_a_traceback(record: logging.LogRecord) -> bool:
    """uvicorn logs a failed lifespan as a traceback; `serve` raises the same failure as one line."""
    return not record.getMessage().startswith("Traceback")
