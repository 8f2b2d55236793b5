"""A WebSocket to a client of runs: events out, each within a bound of time; what the client says in between.

| message out | when |
| --- | --- |
| `{"event", "data", "id"}` | an event of the run, as server-sent events tell it; without `id` where that has none |
| `{"event": "ping", "data": null}` | nothing was said for HEARTBEAT_SEC; not of the run, nothing to answer |
| `{"event": "pong", "data": null}` | the answer to `{"type": "ping"}` |
| `{"event": "refused", "data": problem}` | what the client said cannot be done; the run goes on |
| `{"event": "error", "data": problem}` | what was asked for cannot be heard; the close comes with the same |

| close | why |
| --- | --- |
| 1000 | that was all |
| 1012 | this process stops; come again after the last event |
| 1013 | the client is too slow; the run goes on, come again after the last event |
| 4000 + an HTTP status | an error of the tree; the reason is its text |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from server.errors import refused
from server.streaming.listeners import RESTART, Left
from server.streaming.said import Said
from server.streaming.sse import HEARTBEAT_SEC
from server.wire.body import parse, without_nul
from server.wire.mistakes import Invalid
from state.errors import BadRequest, LabError

REASON_BYTES = 123
"""Of a close, by RFC 6455."""
ALL_SAID, BROKEN, TOO_SLOW = 1000, 1011, 1013
NO_CLOSE = 1006
"""The connection ended without one."""

Command = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bounds:
    """Seconds."""

    send: float = 10.0
    """What the transport may take before there is room for the next event: then the client is too slow."""
    first: float = 30.0
    """Until the first message, where the client has to say something first."""
    beat: float = HEARTBEAT_SEC


class Slow(Exception):
    """The client does not take what it is told."""


class Talk:
    """An accepted WebSocket. Use `talking`."""

    def __init__(self, socket: WebSocket, bounds: Bounds) -> None:
        self._socket = socket
        self._bounds = bounds
        self._now = asyncio.get_running_loop().time
        self._told_at = self._now()
        self.last_id: str | None = None
        """Of the newest event that the transport took."""

    async def tell(self, said: Said) -> None:
        """Raises Left, Slow."""
        self._told_at = self._now()
        try:
            async with asyncio.timeout(self._bounds.send):
                await self._socket.send({"type": "websocket.send", "text": message(said)})
        except TimeoutError:
            raise Slow from None
        except (WebSocketDisconnect, WebSocketDisconnected):
            raise Left(NO_CLOSE) from None
        if said.id is not None:
            self.last_id = said.id

    async def tell_all(self, events: AsyncGenerator[Sequence[Said], None], commands: Mapping[str, Command]) -> None:
        """Tell events to the last one, with a heartbeat in their silences, and do meanwhile what the client says.

        `commands`: by the `type` that it says, beside `ping`. Raises Left, Slow; `events` are closed then.
        """
        try:
            async with aclosing(events), asyncio.TaskGroup() as group:
                others = [group.create_task(self._hear(commands)), group.create_task(self._beat())]
                async for piece in events:
                    for said in piece:
                        await self.tell(said)
                for other in others:
                    other.cancel()
        except BaseExceptionGroup as several:
            for lost in several.exceptions[1:]:
                if not isinstance(lost, Left | Slow):
                    log.error("WebSocket %s failed on its way out", self._socket.url.path, exc_info=lost)
            raise several.exceptions[0] from None

    async def first(self) -> Any:
        """What the client says first, JSON within the bounds of bodies. Raises Left, BadRequest, Malformed."""
        try:
            async with asyncio.timeout(self._bounds.first):
                return read(await self._heard())
        except TimeoutError:
            raise BadRequest(f"nothing was said within {self._bounds.first:g} s; send JSON first") from None

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye. A server that does not take even that closes the connection itself."""
        with suppress(TimeoutError, WebSocketDisconnect, WebSocketDisconnected):
            async with asyncio.timeout(self._bounds.send):
                await self._socket.close(code, shortened(reason))

    def problem(self, error: LabError) -> bytes:
        """Problem details of it, as the routes answer them."""
        errors = error.mistakes if isinstance(error, Invalid) else ()
        return bytes(refused(self._socket.scope, error.status, str(error), errors=errors).body)

    async def _hear(self, commands: Mapping[str, Command]) -> None:
        while True:
            raw = await self._heard()
            try:
                await self._do(read(raw), commands)
            except LabError as error:
                await self.tell(Said("refused", self.problem(error), None))

    async def _do(self, said: Any, commands: Mapping[str, Command]) -> None:
        match said:
            case {"type": "ping"}:
                await self.tell(Said("pong", b"null", None))
            case {"type": str(name)} if name in commands:
                await commands[name]()
            case _:
                known = ", ".join(f'{{"type": "{name}"}}' for name in ("ping", *commands))
                raise BadRequest(f"this is no command here; known are: {known}")

    async def _heard(self) -> bytes:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise Left(received.get("code", NO_CLOSE))
        text: str | None = received.get("text")
        return text.encode("utf-8", "replace") if text is not None else received.get("bytes") or b""

    async def _beat(self) -> None:
        while True:
            wait = self._told_at + self._bounds.beat - self._now()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                await self.tell(Said("ping", b"null", None))


@asynccontextmanager
async def talking(socket: WebSocket, bounds: Bounds, is_stopping: Callable[[], bool]) -> AsyncIterator[Talk]:
    """Accept a client; closed in the way in which the block ends. `is_stopping`: whether this process does."""
    await socket.accept()
    talk = Talk(socket, bounds)
    try:
        yield talk
    except Left:
        return
    except Slow:
        await talk.close(TOO_SLOW, slow_reason(talk.last_id))
    except LabError as error:
        if error.status == 500:
            log.error("WebSocket %s failed", socket.url.path, exc_info=error)
        with suppress(Left, Slow):
            await talk.tell(Said("error", talk.problem(error), None))
        await talk.close(4000 + error.status, str(error))
    except Exception:
        log.exception("WebSocket %s failed", socket.url.path)
        await talk.close(BROKEN, "Internal Server Error")
    else:
        await talk.close(RESTART if is_stopping() else ALL_SAID)


def message(said: Said) -> str:
    """One event as a WebSocket's text: JSON on one line."""
    name = orjson.dumps(said.name)
    if said.id is None:
        return (b'{"event":%b,"data":%b}' % (name, said.data)).decode()
    return (b'{"event":%b,"data":%b,"id":%b}' % (name, said.data, orjson.dumps(said.id))).decode()


def read(raw: bytes) -> Any:
    """What a client says, as Postgres can hold it. Raises BadRequest, Malformed."""
    return without_nul(parse(raw), raw)


def slow_reason(last_id: str | None) -> str:
    """What a client is told that is too slow."""
    return "too slow; the run goes on" + (f", come again with last_event_id={last_id}" if last_id else "")


def shortened(reason: str) -> str:
    """A text that fits into a close."""
    return reason.encode("utf-8", "replace")[:REASON_BYTES].decode("utf-8", "ignore")
