"""Waiting for the end of a run, or of other work, on behalf of a client that may leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request

from server.streaming.events import Event
from state.errors import Broken

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed its connection; there is nobody to answer."""


async def run_whole(events: AsyncGenerator[Event, None], request: Request) -> Event:
    """The last event of a run. A client that disconnects cancels it. Raises what the run raises, ClientGone."""
    return await while_here(_last(events), request)


async def while_here(coroutine: Coroutine[Any, Any, T], request: Request) -> T:
    """What the coroutine returns. A client that disconnects cancels it. Raises what it raises, ClientGone."""
    work = asyncio.create_task(coroutine)
    watch = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise ClientGone
    finally:
        watch.cancel()
        work.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _last(events: AsyncGenerator[Event, None]) -> Event:
    last: Event | None = None
    async with aclosing(events):
        async for event in events:
            last = event
    if last is None:
        raise Broken("the run ended without saying anything")
    return last


async def _disconnected(request: Request) -> None:
    """Returns when the client has gone. The body was read already, so only a disconnect can arrive."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
