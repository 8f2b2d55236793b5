"""Postgres being away: how that is told, and waited out where something has to be recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from state.errors import NoDatabase

T = TypeVar("T")

RETRY_SECONDS = 0.5
AWAY = (NoDatabase, psycopg.OperationalError, PoolTimeout)
"""How the absence of Postgres is told."""

log = logging.getLogger(__name__)


async def surely(act: Callable[[], Awaitable[T]]) -> T:
    """Act, again while Postgres is away: an end that happened is recorded, or another worker takes the run over."""
    while True:
        try:
            return await act()
        except AWAY as error:
            if not is_away(error):
                raise
            log.warning("Postgres is away, trying again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)


def is_away(error: BaseException | None) -> bool:
    """Whether an error says that Postgres cannot be reached, rather than that it refuses what is too large for it."""
    cause = error.__cause__ if isinstance(error, NoDatabase) else error
    if isinstance(cause, psycopg.errors.ProgramLimitExceeded):
        return False
    return isinstance(error, AWAY)
