"""`/metrics` of one process on a port of its own: what runs runs without HTTP can be scraped, too."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.background import stop
from server.guard import Cors, Guard
from server.telemetry.exposition import CONTENT_TYPE
from state.errors import BadRequest

STOP_SECONDS = 2.0
"""For a scrape that is under way at the end."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_metrics_port(
    scrape: Callable[[], Awaitable[bytes]], host: str, port: int | None
) -> AsyncIterator[int | None]:
    """Serve what `scrape` gives at `/metrics` of that port, 0 a free one, None none; yields the port.

    Only programs of this machine are answered, as everywhere. Raises BadRequest: the port is taken.
    """
    if port is None:
        yield None
        return
    with _listen(host, port) as listener:
        server = _Server(
            uvicorn.Config(_app(scrape), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        )
        serving = asyncio.create_task(server.serve([listener]), name="metrics port")
        try:
            bound: int = listener.getsockname()[1]
            log.info("metrics on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, bound)
            yield bound
        finally:
            server.should_exit = True
            await asyncio.wait([serving], timeout=STOP_SECONDS)
            await stop(serving)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's own."""
        yield


def _app(scrape: Callable[[], Awaitable[bytes]]) -> Starlette:
    async def metrics(request: Request) -> Response:
        return Response(await scrape(), headers={"content-type": CONTENT_TYPE})

    app = Starlette(routes=[Route("/metrics", metrics)])
    app.add_middleware(Guard, cors=Cors(), max_body_bytes=0)
    return app


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise BadRequest(
            f"cannot tell metrics on {host}:{port} ({error.strerror}); choose another LAB_METRICS_PORT"
        ) from error
