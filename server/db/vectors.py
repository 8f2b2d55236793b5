"""Vector search in LangGraph's store: which embedder its vectors are of, and what happens when that changes."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.store.postgres.base import PostgresIndexConfig
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from llm.embeddings import SizedEmbeddings

BATCH = 200
"""Items embedded anew at a time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VectorIndex:
    """An embedder and the name under which its vectors are known: vectors of two embedders never meet in a search."""

    name: str
    embeddings: SizedEmbeddings
    fields: tuple[str, ...] | None = None
    """Paths into a value that are embedded where a write names none; None: the whole value."""

    def config(self) -> PostgresIndexConfig:
        """Raises BadRequest for an embedder whose folder is unsafe or not whole."""
        return {
            "dims": self.embeddings.dims,
            "embed": cast(Embeddings, self.embeddings),  # it has the methods; langgraph asks for the class
            "distance_type": "cosine",
            "fields": None if self.fields is None else list(self.fields),
        }

    def mark(self) -> str:
        """What the table's comment says of its vectors."""
        return f"agent-lab embedder {self.name}, {self.embeddings.dims} numbers"


async def has_vectors(connection: AsyncConnection[DictRow]) -> bool:
    """Whether pgvector is installed in this database."""
    return (
        await (await connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'")).fetchone() is not None
    )


async def set_up_vectors(connection: AsyncConnection[DictRow], index: VectorIndex) -> None:
    """Tables for this embedder's vectors. Those of another one are replaced: each item is embedded anew.

    One process at a time (see `migrate`). Cut in the middle, it begins anew with the next start.
    """
    store = AsyncPostgresStore(connection, index=index.config())
    told = await _told(connection)
    if told == index.mark():
        await _set_up(connection, store)
        return
    if told is not None:
        log.warning("vectors are of '%s', not of '%s': what is remembered is embedded anew", told, index.mark())
        await _note_embedded(connection)
    await _set_up(connection, store)
    await _embed_again(connection, store)
    await connection.execute(sql.SQL("COMMENT ON TABLE store_vectors IS {}").format(sql.Literal(index.mark())))


async def _note_embedded(connection: AsyncConnection[DictRow]) -> None:
    """Keep the names of what is embedded until all of it is embedded again, and drop the vectors.

    Where embedding anew was cut, the names of what it had done are added to those of what was left.
    """
    async with connection.transaction():
        await connection.execute("CREATE TABLE IF NOT EXISTS lab_embed_again (prefix text, key text, field_name text)")
        await connection.execute("INSERT INTO lab_embed_again SELECT prefix, key, field_name FROM store_vectors")
        await connection.execute("DROP TABLE store_vectors")
        await connection.execute("DROP TABLE IF EXISTS vector_migrations")


async def _set_up(connection: AsyncConnection[DictRow], store: AsyncPostgresStore) -> None:
    """Tables for exact search: an approximate index is asked first and filtered by namespace after, so that one owner's
    items can hide another's; within one namespace exact search is fast. The store's `flat` kind cannot be set up
    asynchronously (langgraph-checkpoint-postgres 3.1), so the index is taken away again."""
    await store.setup()
    await connection.execute("DROP INDEX IF EXISTS store_vectors_embedding_idx")


async def _told(connection: AsyncConnection[DictRow]) -> str | None:
    """The embedder that the vectors here are of; None where there are none yet, "" where nobody said."""
    cursor = await connection.execute(
        "SELECT coalesce(obj_description(to_regclass('store_vectors')), '') AS told "
        "WHERE to_regclass('store_vectors') IS NOT NULL"
    )
    row = await cursor.fetchone()
    return None if row is None else str(row["told"])


async def _embed_again(connection: AsyncConnection[DictRow], store: AsyncPostgresStore) -> None:
    cursor = await connection.execute("SELECT to_regclass('lab_embed_again') IS NOT NULL AS yes")
    row = await cursor.fetchone()
    if row is None or not row["yes"]:
        return
    done = 0
    while rows := await _next_items(connection):
        await store.abatch([_put(row) for row in rows])
        for row in rows:
            await connection.execute("DELETE FROM lab_embed_again WHERE prefix = %(prefix)s AND key = %(key)s", row)
        done += len(rows)
        log.info("embedded anew: %d items", done)
    await connection.execute("DROP TABLE lab_embed_again")


async def _next_items(connection: AsyncConnection[DictRow]) -> Sequence[DictRow]:
    await connection.execute(
        "DELETE FROM lab_embed_again a WHERE NOT EXISTS "
        "(SELECT 1 FROM store s WHERE s.prefix = a.prefix AND s.key = a.key)"
    )
    cursor = await connection.execute(
        "SELECT s.prefix, s.key, s.value, s.ttl_minutes, array_agg(DISTINCT a.field_name) AS fields "
        "FROM lab_embed_again a JOIN store s USING (prefix, key) "
        "GROUP BY s.prefix, s.key, s.value, s.ttl_minutes LIMIT %s",
        (BATCH,),
    )
    return await cursor.fetchall()


def _put(row: DictRow) -> PutOp:
    # A field of several texts is told as field.0, field.1, …; the store is asked for the field.
    fields = sorted({re.sub(r"\.\d+$", "", name) for name in row["fields"]})
    namespace = tuple(str(row["prefix"]).split("."))
    return PutOp(namespace, row["key"], row["value"], index=fields, ttl=row["ttl_minutes"])
