"""A run as server-sent events, to one client or to several."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from server.lab import Lab
from server.routes.asking import cancel_when_gone
from server.run_queue.shapes import Run
from server.streaming.listeners import goes_with_its_client
from server.streaming.live import LiveResponse
from server.streaming.said import said_by, unheard
from server.streaming.sse import EVENT_STREAM, HEARTBEAT, frame
from state.errors import NoDatabase

NOT_BUFFERED = {"Cache-Control": "no-store", "Connection": "keep-alive", "X-Accel-Buffering": "no"}


def streamed_run(
    lab: Lab,
    tenant: str,
    run: Run,
    home: str,
    cancel: bool,
    *,
    after: int | None = 0,
    modes: list[str] | None = None,
) -> LiveResponse:
    """A run as server-sent events. `cancel`: it ends with this client."""
    pieces = _frames(lab, tenant, run, after, frozenset(filter(None, modes or ())) or None)
    if goes_with_its_client(run) and not cancel:
        return _shared(lab, tenant, run, home, pieces)
    return streamed(pieces, home, cancel_when_gone(lab, tenant, run) if cancel else None)


def _shared(lab: Lab, tenant: str, run: Run, home: str, pieces: AsyncGenerator[bytes, None]) -> LiveResponse:
    """Heard by one of several clients that may leave and come again; the run ends with the last of them."""

    async def present() -> AsyncGenerator[bytes, None]:
        try:
            async with lab.listeners.present(tenant, run):
                async for piece in pieces:
                    yield piece
        except NoDatabase as error:
            yield frame(*unheard(error))

    async def gone() -> None:
        lab.listeners.left(tenant, run.run_id)

    return streamed(present(), home, gone)


async def _frames(
    lab: Lab, tenant: str, run: Run, after: int | None, modes: frozenset[str] | None
) -> AsyncGenerator[bytes, None]:
    async for said in said_by(lab.hub, tenant, run, after, None if modes is None else partial(is_heard, modes=modes)):
        yield b"".join(frame(*each) for each in said)


def is_heard(name: str, modes: frozenset[str]) -> bool:
    """Whether a listener to some modes alone hears an event: `messages/partial|ns` belongs to `messages`."""
    mode = name.partition("|")[0].partition("/")[0]
    return mode in modes or (name.partition("|")[0] == "messages" and "messages-tuple" in modes)


def streamed(pieces: AsyncGenerator[bytes, None], home: str, gone: Any = None) -> LiveResponse:
    """`home`: where the run is found. `gone`: called when the client leaves before the last piece."""
    headers = {"Location": f"{home}/stream", "Content-Location": home, **NOT_BUFFERED}
    return LiveResponse(pieces, headers=headers, media_type=EVENT_STREAM, heartbeat=HEARTBEAT, gone=gone)


def home_of(run: Run) -> str:
    return f"/threads/{run.thread_id}/runs/{run.run_id}"
