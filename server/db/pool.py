"""The database as the server holds it: reached, migrated, pooled. Start here."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from langgraph.store.base import TTLConfig
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from llm.embeddings import SizedEmbeddings
from server.db import grouped, run_events
from server.db.checkpoints import Pool, open_checkpointer
from server.db.committing import Committer, open_committer
from server.db.connection import CONNECTION_OPTIONS, bound, checked_conninfo, told_as_no_database
from server.db.embedded import open_embedded
from server.db.grouped import GroupedSaver
from server.db.items import Items
from server.db.migrate import migrate
from server.db.tenant_store import TenantStore
from server.db.vectors import VectorIndex, has_vectors
from server.settings import Settings

POOL_SIZE = 10
POOL_SECONDS = 10.0
"""How long a caller waits for a free connection."""
PING_SECONDS = 2.0
CHECK_SECONDS = 1.0
"""A connection is checked before its use, at most this often: the check is a round trip."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Database:
    pool: Pool
    checkpointer: GroupedSaver
    items: Items
    """Long-term memory of all tenants; graphs and routes are given one tenant's."""
    committer: Committer
    """Takes the writes of runs, checkpoints and events alike, on a connection of its own."""
    dsn: str = field(repr=False)
    """Conninfo for a dedicated connection. May hold a password."""

    @cached_property
    def store(self) -> TenantStore:
        """The memory of the one tenant that there is until authentication exists."""
        return self.store_of("default")

    def store_of(self, tenant: str) -> TenantStore:
        """For graphs."""
        return TenantStore(self.items, tenant, self.dsn)

    def store_for_clients(self, tenant: str) -> TenantStore:
        """The same items, searched as clients of the Agent Server expect it."""
        return TenantStore(self._client_items, tenant, self.dsn)

    @cached_property
    def _client_items(self) -> Items:
        return self.items.seen_by_clients()

    async def ping(self) -> str:
        """Ask Postgres for its version, `Postgres 18.4`. Raises NoDatabase when it does not answer."""
        with told_as_no_database(self.dsn):
            async with self.pool.connection(timeout=PING_SECONDS) as connection:
                await connection.execute("SELECT 1")
                return f"Postgres {connection.info.parameter_status('server_version')}"


@asynccontextmanager
async def open_database(
    settings: Settings,
    embeddings: SizedEmbeddings | None = None,
    ttl: TTLConfig | None = None,
    types: Collection[tuple[str, ...]] = (),
    index: VectorIndex | None = None,
    kind: type[AsyncConnection[DictRow]] = AsyncConnection,
) -> AsyncIterator[Database]:
    """Postgres of the data directory, or of LAB_DATABASE_URL, with every table in place; closed in reverse order.

    `embeddings`: those that `settings.embedder` names, of what the store is asked to find; None gives it no vectors.
    `ttl`: how long the store's items live where nobody says it, in minutes, and whether reading renews that.
    `types`: module and name of classes that checkpoints may hold besides those of Agent Lab's own states.
    `index`: an application's own vectors, in the place of those of `embeddings`. `kind`: of connections (`timing.py`).
    Raises BadRequest (the URL, the data directory, a database newer than the code), DataDirBusy, NoDatabase.
    """
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(open_server(settings))
        vectors = index or (VectorIndex(settings.embedder, embeddings) if embeddings is not None else None)
        await migrate(dsn, vectors=vectors)
        pool = await stack.enter_async_context(open_pool(dsn, kind))
        async with pool.connection() as connection:
            searched = vectors if await has_vectors(connection) else None
        if vectors is not None and searched is None:
            log.warning("this Postgres has no pgvector: related runs are not recalled")
        committer = await stack.enter_async_context(
            open_committer(dsn, together={**grouped.together(), **run_events.together()}, kind=kind)
        )
        checkpointer = open_checkpointer(pool, committer, types)
        yield Database(pool, checkpointer, Items(pool, searched, ttl), committer, dsn)


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[str]:
    """The conninfo of the server that settings name, started when it is the embedded one; not yet connected to."""
    if settings.database_url is not None:
        yield checked_conninfo(settings.database_url.get_secret_value())
    else:
        async with open_embedded(settings.pg_dir) as dsn:
            yield checked_conninfo(dsn)


@asynccontextmanager
async def open_pool(dsn: str, kind: type[AsyncConnection[DictRow]] = AsyncConnection) -> AsyncIterator[Pool]:
    pool: Pool = AsyncConnectionPool(
        dsn,
        connection_class=kind,
        min_size=1,
        max_size=POOL_SIZE,
        timeout=POOL_SECONDS,
        kwargs=CONNECTION_OPTIONS,
        # Before each use: connections cut by a restart of Postgres are replaced, not handed out.
        check=_Checks(),
        configure=bound,
        open=False,
    )
    with told_as_no_database(dsn):
        await pool.open(wait=True, timeout=POOL_SECONDS)
    try:
        yield pool
    finally:
        await pool.close()


class _Checks:
    """Whether a connection still leads somewhere: looked at before each use, asked now and then."""

    def __init__(self) -> None:
        self._asked_at: WeakKeyDictionary[AsyncConnection[DictRow], float] = WeakKeyDictionary()

    async def __call__(self, connection: AsyncConnection[DictRow]) -> None:
        now = time.monotonic()
        if _has_word(connection) or now - self._asked_at.get(connection, 0.0) > CHECK_SECONDS:
            # One round trip. The pool's own check takes two: it has the empty query prepared anew each time.
            await connection.execute("", prepare=False)
            self._asked_at[connection] = now


def _has_word(connection: AsyncConnection[DictRow]) -> bool:
    """Whether the server has said something unasked: that it closes the connection, most likely. No round trip."""
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    return bool(look.poll(0))
