"""Connections that tell how long their statements take."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, AsyncPipeline
from psycopg.rows import DictRow

Statements = list[Any]
Observe = Callable[[Statements, float, bool], None]
"""Told of statements that were one round trip, the seconds that it took, and whether Postgres refused it."""
MOST_NOTED = 8
"""Statements of one pipeline that `Observe` is told of: those that say what it is about come first."""


def timed(observe: Observe, clock: Callable[[], float] = time.perf_counter) -> type[AsyncConnection[DictRow]]:
    """A kind of connection; each statement of its cursors is observed, those of a pipeline together."""

    class Timed(AsyncConnection[DictRow]):
        piped: Statements | None = None
        """Statements of the pipeline that is open."""

        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self.cursor_factory = TimedCursor

        @asynccontextmanager
        async def pipeline(self) -> AsyncIterator[AsyncPipeline]:
            if self.piped is not None:  # one within another is part of it
                async with super().pipeline() as pipeline:
                    yield pipeline
                return
            statements: Statements = []
            self.piped, begun, failed = statements, clock(), False
            try:
                async with super().pipeline() as pipeline:
                    yield pipeline
            except psycopg.Error:
                failed = True
                raise
            finally:
                self.piped = None
                observe(statements, clock() - begun, failed)

    class TimedCursor(AsyncCursor[DictRow]):
        async def execute(self, query: Any, *args: Any, **settings: Any) -> Any:
            piped = self._conn.piped  # type: ignore[attr-defined]  # which is a Timed
            if piped is not None:
                if len(piped) < MOST_NOTED:
                    piped.append(query)
                return await super().execute(query, *args, **settings)
            begun, failed = clock(), False
            try:
                return await super().execute(query, *args, **settings)
            except psycopg.Error:
                failed = True
                raise
            finally:
                observe([query], clock() - begun, failed)

    return Timed
