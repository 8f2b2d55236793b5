"""More processes that run runs, beside the server and for as long as it lives."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from server.background import stop
from server.settings import Settings

STOP_SECONDS = 30.0
"""A worker hands its runs back within 25 s; after this it is killed, and its runs are taken over."""
AGAIN_SECONDS = 2.0
"""Until one that ended by itself is started anew."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_worker_processes(settings: Settings, count: int) -> AsyncIterator[None]:
    """`count` processes of `lab worker`, each started again should it end; stopped with this one."""
    keepers = [
        asyncio.create_task(_keep(settings, index), name=f"worker process {index}") for index in range(1, count + 1)
    ]
    try:
        yield
    finally:
        await asyncio.gather(*(stop(keeper) for keeper in keepers))


def command_of(settings: Settings, index: int = 1) -> list[str]:
    """What starts one on the same application and data; everything else it reads from the same environment.

    `index` counts them from 1: each has a port of its own for its metrics.
    """
    config = [] if settings.config is None else ["--config", str(settings.config.expanduser().absolute())]
    data_dir = ["--data-dir", str(settings.data_dir.expanduser().absolute())]
    port = [] if settings.metrics_port is None else ["--metrics-port", str(settings.metrics_port + index)]
    return [sys.executable, "-m", "server", "worker", "--with-parent", *config, *data_dir, *port]


async def _keep(settings: Settings, index: int) -> None:
    while True:
        process = await asyncio.create_subprocess_exec(*command_of(settings, index), stdin=PIPE, start_new_session=True)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await asyncio.shield(_stop(process))
            raise
        log.error("a worker process ended with %s; another is started", code)
        await asyncio.sleep(AGAIN_SECONDS)


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
