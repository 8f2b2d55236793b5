"""Waiting on behalf of a client that may leave: who hears of its leaving, and of a cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Request
from starlette.types import Message

from server.routes.whole import ClientGone, while_here


def client(*, leaves: bool) -> Request:
    async def receive() -> Message:
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": []}
    return Request(scope, receive)


class Work:
    """Goes on until it is cancelled, and then until it may end."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
            await self.may_end.wait()


async def test_what_is_waited_for_is_given_or_raised() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise KeyError("x")

    assert await while_here(answer(), client(leaves=False)) == 42
    with pytest.raises(KeyError):
        await while_here(fail(), client(leaves=False))


async def test_a_client_that_leaves_ends_the_work_before_it_is_told_of() -> None:
    work = Work()
    work.may_end.set()
    with pytest.raises(ClientGone):
        await while_here(work(), client(leaves=True))
    assert work.stopped.is_set()


async def test_a_cancellation_while_the_work_ends_is_not_swallowed() -> None:
    work = Work()
    waiting = asyncio.create_task(while_here(work(), client(leaves=True)))
    await work.stopped.wait()
    waiting.cancel()
    work.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
