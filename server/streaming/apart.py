"""Producing in a task of one's own, so that a reader who leaves ends the work cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from anyio import CancelScope, create_memory_object_stream

T = TypeVar("T")

AHEAD = 256
"""Items produced before a slow reader holds the producer up."""


async def produced_apart(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The same items, from a task that is cancelled once and waited for when the reader closes or is cancelled.

    A cancelled anyio scope, such as an SSE response whose client left, cancels its tasks at every await. LangGraph's
    own clean-up waits for its nodes; cancelled there a second time it leaves them running, and the model with them.
    """
    sender, receiver = create_memory_object_stream[T](AHEAD)

    async def produce() -> None:
        async with sender, aclosing(items):
            async for item in items:
                await sender.send(item)

    producer = asyncio.create_task(produce())
    try:
        async with receiver:
            async for item in receiver:
                yield item
        await producer
    finally:
        producer.cancel()
        with CancelScope(shield=True):
            await asyncio.wait({producer})
