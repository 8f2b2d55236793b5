"""Word from other processes over LISTEN and NOTIFY: a hint to look, never the truth; who waits also looks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from server.background import running
from server.db.connection import connect, told_as_no_database
from state.errors import NoDatabase

RUNS = "lab_runs"
"""A run can be claimed. The payload is empty."""
STOP = "lab_stop"
"""A running run is asked to stop: its id."""
EVENTS = "lab_events"
"""Runs whose logs have grown or that have ended: ids with commas between."""
MESSAGES = "lab_messages"
"""Agents for whom messages wait, as JSON: `{"by": process, "to": [[tenant, agent or request], …]}`."""

RECONNECT_SECONDS = 0.5

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_notices(dsn: str, heard: Mapping[str, Callable[[str], None]]) -> AsyncIterator[None]:
    """Listen on a connection of its own and call `heard[channel](payload)` for each notice. Raises NoDatabase.

    A lost connection is made again; what was said meanwhile is not heard.
    """
    connection = await _listen(dsn, list(heard))
    async with running(_hear(dsn, connection, heard), "notices"):
        yield


async def _hear(dsn: str, connection: AsyncConnection[DictRow], heard: Mapping[str, Callable[[str], None]]) -> None:
    while True:
        try:
            async for notice in connection.notifies():
                heard[notice.channel](notice.payload)
        except psycopg.OperationalError as error:
            log.warning("notices are not heard: %s", error)
        finally:
            await connection.close()
        connection = await _listen_again(dsn, list(heard))


async def _listen_again(dsn: str, channels: list[str]) -> AsyncConnection[DictRow]:
    while True:
        await asyncio.sleep(RECONNECT_SECONDS)
        with suppress(NoDatabase):
            return await _listen(dsn, channels)


async def _listen(dsn: str, channels: list[str]) -> AsyncConnection[DictRow]:
    connection = await connect(dsn)
    with told_as_no_database(dsn):
        for channel in channels:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    return connection
