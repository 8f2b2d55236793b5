"""How long a run may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from state.errors import TimedOut


@asynccontextmanager
async def at_most(seconds: float | None) -> AsyncIterator[None]:
    """Raises TimedOut when what is within takes longer; None: it may."""
    try:
        async with asyncio.timeout(seconds) as bound:
            yield
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise TimedOut(f"the run took longer than {seconds:g} s; raise LAB_REQUEST_TIMEOUT or ask for less") from error
