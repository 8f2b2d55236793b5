"""A talk over a WebSocket: what is sent, how it is closed, and what uvicorn does of a client that stopped reading."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.streaming.listeners import Left
from server.streaming.said import Said, number_of
from server.streaming.uvicorn_websockets import BoundedWebSockets
from server.streaming.websocket import Bounds, Talk, message, shortened, talking
from state.errors import Broken, NotFound


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (Said("token", b'{"text":"a\\nb"}', "7"), '{"event":"token","data":{"text":"a\\nb"},"id":"7"}'),
        (Said("pong", b"null", None), '{"event":"pong","data":null}'),
        (Said('updates|a "b"', b"{}", "x.1"), '{"event":"updates|a \\"b\\"","data":{},"id":"x.1"}'),
        (Said("näme", '{"é":1}'.encode(), "1"), '{"event":"näme","data":{"é":1},"id":"1"}'),
    ],
    ids=["token", "no id", "quotes", "accents"],
)
def test_a_message_is_json_on_one_line(said: Said, text: str) -> None:
    assert message(said) == text


@pytest.mark.parametrize(
    ("reason", "fits"),
    [("short", "short"), ("x" * 200, "x" * 123), ("é" * 100, "é" * 61), ("a\ud800b", "a?b"), ("", "")],
    ids=["short", "long", "accents", "surrogate", "empty"],
)
def test_a_reason_fits_into_a_close(reason: str, fits: str) -> None:
    assert shortened(reason) == fits and len(fits.encode()) <= 123


@pytest.mark.parametrize(
    ("event_id", "number"),
    [("0", 0), ("17", 17), ("-1", None), ("", None), ("٣", None), ("1.5", None), ("9" * 5_000, 2**62)],
    ids=["zero", "some", "negative", "empty", "arabic", "fraction", "huge"],
)
def test_an_events_number_is_read_from_its_id(event_id: str, number: int | None) -> None:
    assert number_of(event_id) == number


class Peer:
    """A client as an ASGI server shows it."""

    def __init__(self, *says: Message) -> None:
        self.sent: list[Message] = []
        self.room = asyncio.Event()
        self.room.set()
        self._says: asyncio.Queue[Message] = asyncio.Queue()
        for each in ({"type": "websocket.connect"}, *says):
            self._says.put_nowait(each)

    @property
    def socket(self) -> WebSocket:
        scope = {"type": "websocket", "path": "/ws/runs/1", "headers": [], "query_string": b""}
        return WebSocket(scope, self._says.get, self._send)

    async def _send(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            await self.room.wait()
        self.sent.append(message)

    @property
    def close(self) -> tuple[int, str] | None:
        last = self.sent[-1]
        return (last["code"], last["reason"]) if last["type"] == "websocket.close" else None


BOUNDS = Bounds(send=0.05, first=5, beat=60)


async def events(*pieces: Sequence[Said], for_ever: bool = False) -> AsyncGenerator[Sequence[Said], None]:
    for piece in pieces:
        yield piece
    if for_ever:
        await asyncio.Event().wait()


class Closed:
    """Events that note their end, which must not wait for the collection of garbage."""

    def __init__(self) -> None:
        self.done = False

    async def events(self, *pieces: Sequence[Said]) -> AsyncGenerator[Sequence[Said], None]:
        try:
            for piece in pieces:
                yield piece
        finally:
            self.done = True


async def test_a_talk_that_ends_is_closed_and_one_of_a_process_that_stops_asks_to_come_again() -> None:
    for stopping, close in ((False, (1000, "")), (True, (1012, ""))):
        peer = Peer()
        async with talking(peer.socket, BOUNDS, lambda stopping=stopping: stopping) as talk:  # type: ignore[misc]
            await talk.tell_all(events([Said("a", b"1", "1"), Said("b", b"2", "2")], [Said("c", b"3", "3")]), {})
            assert talk.last_id == "3"
        assert [each.get("text") for each in peer.sent[1:-1]] == [
            '{"event":"a","data":1,"id":"1"}',
            '{"event":"b","data":2,"id":"2"}',
            '{"event":"c","data":3,"id":"3"}',
        ]
        assert peer.close == close


@pytest.mark.parametrize("code", [1001, 1012])
async def test_a_client_that_leaves_ends_the_events_and_nothing_is_said_to_it(code: int) -> None:
    peer = Peer({"type": "websocket.disconnect", "code": code})
    left: list[Left] = []
    async with talking(peer.socket, BOUNDS, lambda: False) as talk:
        try:
            await talk.tell_all(events(for_ever=True), {})
        except Left as one:
            left.append(one)
            raise
    assert [one.stopping for one in left] == [code == 1012]
    assert [each["type"] for each in peer.sent] == ["websocket.accept"]


async def test_a_client_without_room_is_told_where_to_come_again() -> None:
    peer, closed = Peer(), Closed()
    async with talking(peer.socket, BOUNDS, lambda: False) as talk:
        await talk.tell(Said("a", b"1", "1"))
        peer.room.clear()
        heard = closed.events([Said("b", b"2", "2")])
        await talk.tell_all(heard, {})
    assert closed.done
    assert peer.close == (1013, "too slow; the run goes on, come again with last_event_id=1")


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (NotFound("there is no run 7"), (4404, "there is no run 7")),
        (Broken("a promise"), (4500, "a promise")),
        (RuntimeError("secret"), (1011, "Internal Server Error")),
    ],
    ids=["ours", "broken", "unforeseen"],
)
async def test_an_error_is_told_and_closes(error: Exception, close: tuple[int, str]) -> None:
    peer = Peer()
    async with talking(peer.socket, BOUNDS, lambda: False):
        raise error
    assert peer.close == close
    assert "secret" not in str(peer.sent)


async def test_whoever_cancels_a_talk_is_not_kept() -> None:
    peer = Peer()

    async def talk() -> None:
        async with talking(peer.socket, BOUNDS, lambda: False) as talk:
            await talk.tell_all(events([Said("a", b"1", "1")], for_ever=True), {})

    task = asyncio.create_task(talk())
    while len(peer.sent) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert peer.close is None


class Hasty(BoundedWebSockets):
    buffer_bytes = 4_096
    abort_seconds = 0.05


async def test_the_connection_of_a_client_that_reads_no_more_is_given_up() -> None:
    talked: list[Talk] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async with talking(WebSocket(scope, receive, send), BOUNDS, lambda: False) as talk:
            talked.append(talk)
            while True:
                await talk.tell(Said("a", b'"%b"' % (b"x" * 10_000), "1"))

    options: dict[str, Any] = {"lifespan": "off", "log_config": None, "ws": Hasty, "ws_ping_interval": None}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        serving = asyncio.create_task(server._serve([listener]))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(listener.getsockname())
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with asyncio.timeout(10):
            while not talked or server.server_state.connections:
                await asyncio.sleep(0.01)
        server.should_exit = True
        await serving
