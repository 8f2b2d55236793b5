"""A response that lasts: what is sent, and who is told when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import Message

from server.streaming.live import LiveResponse
from state.errors import Broken


async def _pieces(*pieces: bytes, then: asyncio.Event | None = None) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
    if then is not None:
        await then.wait()


async def _broken() -> AsyncGenerator[bytes, None]:
    yield b"one"
    raise Broken("no more")


async def _answer(
    pieces: AsyncGenerator[bytes, None], *, leaves: bool = False, breaks_at: bytes | None = None
) -> tuple[list[Message], list[str]]:
    """What an ASGI server is sent by a response, and whether its `gone` was called; the client may leave at once.

    `breaks_at`: the piece that the server cannot send any more, before it says that the client is gone.
    """
    sent: list[Message] = []
    told: list[str] = []

    async def receive() -> Message:
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message.get("body") == breaks_at is not None:
            raise OSError("broken pipe")
        sent.append(message)

    async def gone() -> None:
        told.append("gone")

    headers = {"Location": "/here"}
    response = LiveResponse(pieces, headers=headers, media_type="text/event-stream", heartbeat=b":\n", gone=gone)
    scope: Any = {"type": "http"}
    await response(scope, receive, send)
    return sent, told


async def test_pieces_are_sent_one_by_one_and_then_the_end() -> None:
    sent, told = await _answer(_pieces(b"one", b"two"))
    assert [(message.get("body"), message.get("more_body")) for message in sent[1:]] == [
        (b"one", True),
        (b"two", True),
        (b"", False),
    ]
    assert told == []


async def test_headers_come_first_and_no_length_is_promised() -> None:
    sent, _ = await _answer(_pieces())
    assert (sent[0]["type"], sent[0]["status"]) == ("http.response.start", 200)
    headers = dict(sent[0]["headers"])
    assert headers[b"location"] == b"/here"
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"content-length" not in headers


async def test_a_client_that_leaves_ends_the_pieces_and_is_told_of() -> None:
    sent, told = await _answer(_pieces(b"one", then=asyncio.Event()), leaves=True)
    assert told == ["gone"]
    assert all(message.get("more_body", True) for message in sent)


async def test_pieces_are_closed_when_the_client_leaves_between_two_of_them() -> None:
    closed: list[str] = []

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.append("closed")

    kept = pieces()  # held here: no collection of garbage closes it
    _, told = await _answer(kept, breaks_at=b"one")
    assert (closed, told) == (["closed"], ["gone"])


async def test_what_goes_wrong_while_sending_is_raised() -> None:
    with pytest.raises(Broken, match="no more"):
        await _answer(_broken())


@pytest.mark.parametrize("breaks_at", [b"two", b""], ids=["a piece", "the end"])
async def test_a_client_whose_connection_breaks_while_sending_is_told_of(breaks_at: bytes) -> None:
    _, told = await _answer(_pieces(b"one", b"two"), breaks_at=breaks_at)
    assert told == ["gone"]


async def test_an_error_of_the_operating_system_in_the_pieces_is_no_lost_connection() -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        await _answer(pieces())
