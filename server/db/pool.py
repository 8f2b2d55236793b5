"""The database as the server holds it: reached, migrated, pooled. Start here."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg_pool import AsyncConnectionPool

from llm.embeddings import SizedEmbeddings
from server.db.checkpoints import Pool, open_checkpointer, open_store
from server.db.connection import CONNECTION_OPTIONS, checked_conninfo, told_as_no_database
from server.db.embedded import open_embedded
from server.db.migrate import migrate
from server.db.vectors import VectorIndex, has_vectors
from server.settings import Settings

POOL_SIZE = 10
POOL_SECONDS = 10.0
"""How long a caller waits for a free connection."""
PING_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Database:
    pool: Pool
    checkpointer: AsyncPostgresSaver
    store: AsyncPostgresStore
    dsn: str = field(repr=False)
    """Conninfo for a dedicated connection. May hold a password."""

    async def ping(self) -> str:
        """Ask Postgres for its version, `Postgres 18.4`. Raises NoDatabase when it does not answer."""
        with told_as_no_database(self.dsn):
            async with self.pool.connection(timeout=PING_SECONDS) as connection:
                await connection.execute("SELECT 1")
                return f"Postgres {connection.info.parameter_status('server_version')}"


@asynccontextmanager
async def open_database(settings: Settings, embeddings: SizedEmbeddings | None = None) -> AsyncIterator[Database]:
    """Postgres of the data directory, or of LAB_DATABASE_URL, with every table in place; closed in reverse order.

    `embeddings`: those that `settings.embedder` names, of what the store is asked to find; None gives it no vectors.
    Raises BadRequest (the URL, the data directory, a database newer than the code), DataDirBusy, NoDatabase.
    """
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(open_server(settings))
        vectors = VectorIndex(settings.embedder, embeddings) if embeddings is not None else None
        await migrate(dsn, vectors=vectors)
        pool = await stack.enter_async_context(open_pool(dsn))
        async with pool.connection() as connection:
            searched = vectors if await has_vectors(connection) else None
        if vectors is not None and searched is None:
            log.warning("this Postgres has no pgvector: related runs are not recalled")
        yield Database(pool, open_checkpointer(pool), open_store(pool, searched), dsn)


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[str]:
    """The conninfo of the server that settings name, started when it is the embedded one; not yet connected to."""
    if settings.database_url is not None:
        yield checked_conninfo(settings.database_url.get_secret_value())
    else:
        async with open_embedded(settings.pg_dir) as dsn:
            yield checked_conninfo(dsn)


@asynccontextmanager
async def open_pool(dsn: str) -> AsyncIterator[Pool]:
    pool: Pool = AsyncConnectionPool(
        dsn,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=POOL_SECONDS,
        kwargs=CONNECTION_OPTIONS,
        # An empty query before each use: connections cut by a restart of Postgres are replaced, not handed out.
        check=AsyncConnectionPool.check_connection,
        open=False,
    )
    with told_as_no_database(dsn):
        await pool.open(wait=True, timeout=POOL_SECONDS)
    try:
        yield pool
    finally:
        await pool.close()
