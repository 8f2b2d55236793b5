"""Events as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent

from server.streaming.events import Event

HEARTBEAT_SEC = 5
"""A comment line this often keeps proxies from closing a quiet stream."""


def stream_response(events: AsyncIterator[Event]) -> EventSourceResponse:
    """An SSE response; it closes `events` when the client goes away, which stops the run behind it."""
    return EventSourceResponse(_frames(events), ping=HEARTBEAT_SEC)


async def _frames(events: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async for event in events:
        number += 1
        yield JSONServerSentEvent(event.data, event=event.name, id=str(number))
