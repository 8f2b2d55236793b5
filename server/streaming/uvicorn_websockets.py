"""uvicorn's end of a WebSocket, whose client may have stopped reading: bounded in memory, and sure to end."""

from __future__ import annotations

import asyncio
import socket
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class BoundedWebSockets(WebSocketsSansIOProtocol):
    """What a client has not read is held up to about `2 * buffer_bytes` here and in the kernel, and one event more.

    uvicorn alone waits for room before it sends a close, and after one it waits until everything was read.
    """

    buffer_bytes = 65_536
    abort_seconds = 15.0
    """After the end of the conversation, what its client gets to read the rest and to close."""

    _abort: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=self.buffer_bytes)
        # The kernel's own would grow to megabytes for who does not read.
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer_bytes)

    async def send(self, message: Any) -> None:
        """A close goes out also where there is no room: it is small, and tells why."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        if self in self.connections:
            self._abort = self.loop.call_later(self.abort_seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._abort is not None:
            self._abort.cancel()
        super().connection_lost(exc)
