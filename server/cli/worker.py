"""`lab worker`: runs what is queued, without HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from server.application.config import read_config
from server.lab import open_lab
from server.settings import Settings, read_settings
from server.telemetry.logs import open_logs
from server.telemetry.port import open_metrics_port
from server.telemetry.scraping import scrape

log = logging.getLogger("lab")


def worker(
    config: Annotated[Path | None, typer.Option(help="langgraph.json of the application [LAB_CONFIG]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where everything is kept [LAB_DATA_DIR]")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="loopback port that tells metrics to Prometheus [LAB_METRICS_PORT]")
    ] = None,
    with_parent: Annotated[bool, typer.Option(hidden=True, help="stop when standard input ends")] = False,
) -> None:
    """Run what is queued, beside `lab serve` or on another machine (LAB_DATABASE_URL), until SIGTERM or Ctrl-C.

    Stopped, it lets its runs come to their next checkpoint and hands them back to the queue.
    """
    settings = read_settings(config=config, data_dir=data_dir, metrics_port=metrics_port)
    with open_logs(settings, "worker"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings, with_parent=with_parent))


async def _work(settings: Settings, *, with_parent: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        _when_input_ends(loop, stop.set)
    config = read_config(settings.config) if settings.config is not None else None
    async with (
        open_lab(settings, config, works=True) as lab,
        open_metrics_port(lambda: scrape(lab, serves=False), settings.host, settings.metrics_port),
    ):
        log.info("running what is queued for: %s (Ctrl-C stops)", ", ".join(lab.application.names))
        await stop.wait()


def _when_input_ends(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """A parent holds the other end: it closes however that process ends, SIGKILL included."""

    def wait() -> None:
        # Not through sys.stdin: its lock, held by a daemon thread, would break the end of the interpreter.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        with suppress(RuntimeError):  # the loop is closed: this process is on its way out
            loop.call_soon_threadsafe(act)

    threading.Thread(target=wait, name="parent", daemon=True).start()
