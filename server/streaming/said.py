"""What a run says, as those who listen are told it, whichever way they came: server-sent events or a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple

from server.run_queue.shapes import Run
from server.streaming.frames import END
from server.streaming.hub import Hub
from server.wire.values import encode
from state.errors import LabError

GATHER_SEC = 0.002
"""Between two pieces to one client, the first of which goes at once."""


class Said(NamedTuple):
    """One event. `data` is JSON on one line; `id` None: nothing can be heard after it."""

    name: str
    data: bytes
    id: str | None


async def said_by(
    hub: Hub, tenant: str, run: Run, after: int | None, is_wanted: Callable[[str], bool] | None = None
) -> AsyncGenerator[Sequence[Said], None]:
    """Events as they come, those that came together in one piece; `after` as `Hub.read` takes it.

    `is_wanted`: whether events of this name are told. Ends early where this process stops.
    """
    try:
        async with aclosing(hub.read(tenant, run, after)) as pieces:
            async for frames in pieces:
                piece = [
                    Said(each.name, each.data, str(each.seq) if run.resumable else None)
                    for each in frames
                    if each.name != END and (is_wanted is None or is_wanted(each.name))
                ]
                if piece:
                    yield piece
                if frames[-1].name != END:
                    # What comes meanwhile goes in one piece: a send for each token would be most of what it costs.
                    await asyncio.sleep(GATHER_SEC)
    except LabError as error:
        yield [unheard(error)]


def unheard(error: LabError) -> Said:
    """Why a run cannot be heard, as the last thing that is told of it."""
    return Said("error", encode({"error": type(error).__name__, "message": str(error)}), None)


def number_of(event_id: str) -> int | None:
    """An event's number in its run, from its id as clients send it back; None where it is none."""
    if not (event_id.isascii() and event_id.isdigit()):
        return None
    return int(event_id) if len(event_id) < 19 else 2**62  # Python refuses to read thousands of digits
