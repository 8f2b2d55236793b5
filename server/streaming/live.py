"""A response whose body comes while its client waits: kept alive, and told when the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from server.streaming.sse import HEARTBEAT_SEC


class LiveResponse(StreamingResponse):
    """Sends pieces of bytes as they come, 200 and its headers before the first of them."""

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        headers: Mapping[str, str],
        media_type: str,
        heartbeat: bytes,
        gone: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`pieces` are closed at the end. `heartbeat` is sent after every HEARTBEAT_SEC without one; `gone` is called
        when the client leaves before the last piece."""
        super().__init__(pieces, headers=headers, media_type=media_type)
        self._pieces = pieces
        self._heartbeat = heartbeat
        self._gone = gone
        self._sent = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        beating = asyncio.create_task(self._beat(send))
        watching = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            left = not sending.done()
        finally:
            for task in (sending, beating, watching):
                if not task.done():
                    task.cancel()
            await asyncio.gather(sending, beating, watching, return_exceptions=True)
            await self._pieces.aclose()
        # A client that is gone makes some servers' `send` raise, perhaps before they say that it is.
        left = left or not sending.result()
        if left and self._gone is not None:
            await self._gone()

    async def _send_all(self, send: Send) -> bool:
        """Whether the client was there to the last piece. Raises what the pieces raise."""
        now = asyncio.get_running_loop().time
        self._sent = now()
        async for piece in self._pieces:
            if not await _sent(send, piece, more=True):
                return False
            self._sent = now()
        return await _sent(send, b"", more=False)

    async def _beat(self, send: Send) -> None:
        now = asyncio.get_running_loop().time
        while True:
            wait = self._sent + HEARTBEAT_SEC - now()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self._sent = now()
                await send({"type": "http.response.body", "body": self._heartbeat, "more_body": True})


async def _sent(send: Send, piece: bytes, *, more: bool) -> bool:
    """Whether the server took it."""
    try:
        await send({"type": "http.response.body", "body": piece, "more_body": more})
    except OSError:
        return False
    return True


async def _disconnected(receive: Receive) -> None:
    """Returns when the client has gone. The body was read already, so that only a disconnect can arrive."""
    while (await receive())["type"] != "http.disconnect":
        pass
