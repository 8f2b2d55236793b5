"""What every repository does alike: its named queries, run in one transaction, Postgres' absence told as ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.db.checkpoints import Pool
from server.db.connection import told_as_no_database
from server.db.sql import FOLDER, read_queries

Query = Callable[[str, Mapping[str, Any]], Awaitable[list[DictRow]]]


class Repository:
    """Rows of one resource. Methods take the tenant first; each query has it among its values."""

    def __init__(self, pool: Pool, dsn: str, queries: str) -> None:
        """`queries` is a file of `queries/`, such as `threads.sql`; `dsn` names the server in error messages."""
        self._pool = pool
        self._dsn = dsn
        self._queries = read_queries(FOLDER / queries)

    async def _ask(self, tenant: str, name: str, values: Mapping[str, Any]) -> list[DictRow]:
        """One query, a transaction of its own in one round trip. Raises NoDatabase."""
        with told_as_no_database(self._dsn):
            async with self._pool.connection() as connection:
                cursor = await connection.execute(self._queries[name], {**values, "tenant_id": tenant})
                return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def _transaction(self, tenant: str) -> AsyncIterator[Query]:
        """Gives `query(name, values) -> rows`. Raises NoDatabase."""
        async with self._transaction_on(tenant) as (query, _):
            yield query

    @asynccontextmanager
    async def _transaction_on(self, tenant: str) -> AsyncIterator[tuple[Query, AsyncConnection[DictRow]]]:
        """The same with its connection, for what else has to be part of the transaction. Raises NoDatabase."""
        with told_as_no_database(self._dsn):
            async with self._pool.connection() as connection, connection.transaction():

                async def query(name: str, values: Mapping[str, Any]) -> list[DictRow]:
                    cursor = await connection.execute(self._queries[name], {**values, "tenant_id": tenant})
                    return await cursor.fetchall() if cursor.description else []

                yield query, connection
