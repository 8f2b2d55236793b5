"""Events as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from sse_starlette import EventSourceResponse, JSONServerSentEvent, ServerSentEvent

from server.streaming.events import Event
from state.errors import LabError

EVENT_STREAM = "text/event-stream"
"""What a client accepts that wants events."""

HEARTBEAT = b": heartbeat\r\n\r\n"
HEARTBEAT_SEC = 5
"""A comment line this often keeps proxies from closing a quiet stream."""


def stream_response(events: AsyncIterator[Event]) -> EventSourceResponse:
    """An SSE response; it closes `events` when the client goes away, which stops the run behind it."""
    return EventSourceResponse(_frames(events), ping=HEARTBEAT_SEC)


async def started(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events, the first one already here, so that what is refused is an HTTP error and not a stream.

    A later error is an event, the last one.
    """
    first = await anext(events)

    async def told() -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            yield first
            try:
                async for event in events:
                    yield event
            except LabError as error:
                yield error_event(error)

    return told()


def frame(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """One event as bytes. `data` is JSON on one line."""
    if event_id is None:
        return b"event: %b\r\ndata: %b\r\n\r\n" % (name.encode(), data)
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (name.encode(), data, event_id.encode())


def error_event(error: LabError) -> Event:
    """An error as the last event of a stream."""
    return Event("error", {"error": type(error).__name__, "status": error.status, "detail": str(error)})


async def _frames(events: AsyncIterator[Event]) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async for event in events:
        number += 1
        yield JSONServerSentEvent(event.data, event=event.name, id=str(number))
