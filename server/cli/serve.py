"""`lab serve`: the HTTP server."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from server.app import create_app
from server.cli.terminal import set_up_logging
from server.settings import Settings, read_settings
from state.errors import BadRequest, Broken, LabError

SHUTDOWN_SEC = 10
"""Open requests get this long to end after SIGTERM or Ctrl-C; then their runs are cut and stay resumable."""


def serve(
    host: Annotated[str | None, typer.Option(help="loopback address to listen on [LAB_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 takes a free one [LAB_PORT]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where everything is kept [LAB_DATA_DIR]")] = None,
) -> None:
    """Serve the lab API (`/inference`, `/orchestrate`, `/models`, `/health`; docs at `/docs`)."""
    settings = read_settings(host=host, port=port, data_dir=data_dir)
    set_up_logging(settings)
    logging.getLogger("uvicorn.error").addFilter(_not_a_traceback)
    app = create_app(settings)
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=SHUTDOWN_SEC, lifespan="on")
    server = uvicorn.Server(config)
    with _listen(settings) as listener:
        address, bound_port = listener.getsockname()[:2]
        logging.getLogger("lab").info("serving on http://%s:%s (Ctrl-C stops)", address, bound_port)
        try:
            server.run(sockets=[listener])
        except SystemExit as stopped:  # how uvicorn says that the lifespan failed
            failure: LabError | None = getattr(app.state, "failure", None)
            raise failure or Broken("the server did not start; the reason is above") from stopped


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
