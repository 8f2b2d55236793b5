"""Producing apart: every way a reader can leave ends the producer, once, and waits for it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from server.streaming.apart import AHEAD, produced_apart


class Work:
    """Counts up for ever; its clean-up takes several awaits, as LangGraph's does."""

    def __init__(self) -> None:
        self.made, self.cleaned, self.cancels = 0, False, 0

    async def items(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                self.made += 1
                yield self.made
                await asyncio.sleep(0)
        finally:
            for _ in range(5):
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    self.cancels += 1
            self.cleaned = True


async def test_items_and_errors_come_through() -> None:
    async def three() -> AsyncGenerator[int, None]:
        yield 1
        yield 2
        raise ValueError("three")

    seen = []
    with pytest.raises(ValueError, match="three"):
        async for item in produced_apart(three()):
            seen.append(item)
    assert seen == [1, 2]


async def test_a_reader_that_closes_ends_the_work() -> None:
    work = Work()
    async with aclosing(produced_apart(work.items())) as items:
        assert await anext(items) == 1
    assert work.cleaned and work.cancels == 0


async def test_a_cancelled_scope_interrupts_the_work_but_not_its_clean_up() -> None:
    work = Work()

    async def read() -> None:
        async with aclosing(produced_apart(work.items())) as items:
            async for item in items:
                if item == 3:
                    scope.cancel_scope.cancel()

    async with anyio.create_task_group() as scope:
        scope.start_soon(read)
    assert work.cleaned and work.cancels == 0


async def test_a_slow_reader_holds_the_work_up() -> None:
    work = Work()
    async with aclosing(produced_apart(work.items())) as items:
        await anext(items)
        for _ in range(10 * AHEAD):
            await asyncio.sleep(0)
        assert work.made <= AHEAD + 2
