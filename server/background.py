"""Work that goes on beside everything else for as long as a context is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

AGAIN_SECONDS = 0.5


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[asyncio.Task[None]]:
    """A task of this name, stopped at the end; what it raised before is raised then."""
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        await stop(task)
    if not task.cancelled():
        task.result()


async def stop(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end.

    Again where it goes on: `asyncio.wait_for` of Python 3.11, which connection pools use, swallows a cancellation that
    comes in the moment in which what it waits for is there.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
