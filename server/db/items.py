"""LangGraph's Postgres store with searches of our own; the first label of every namespace is the tenant.

Tables, writes and reads by key are LangGraph's. Only the two methods that build the statements of searches and lists
are replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.store.base import ListNamespacesOp, MatchCondition, SearchOp, TTLConfig
from langgraph.store.postgres.aio import AsyncPostgresStore
from langgraph.store.postgres.base import PLACEHOLDER, _namespace_prefix_condition

from server.db.checkpoints import Pool
from server.db.store_filters import Condition, conditions
from server.db.vectors import VectorIndex

_LIVING = "(store.expires_at IS NULL OR store.expires_at > now())"
_COLUMNS = "store.prefix, store.key, store.value, store.created_at, store.updated_at"
_SCORE = (
    "(SELECT max(coalesce(nullif(1 - (sv.embedding <=> %s::vector), 'NaN'), 0)) FROM store_vectors sv"
    " WHERE sv.prefix = store.prefix AND sv.key = store.key)"
)
# A namespace's labels as an array, the tenant's left out.
_LABELS = "(string_to_array(store.prefix, '.'))[2:]"


class Items(AsyncPostgresStore):
    """What no tenant sees directly: `TenantStore` puts the tenant's label on and takes it off.

    `for_clients`: as clients of the Agent Server know it from the reference server: items in the order in which they
    came, those without vectors after those with, numbers alone have an order. Else as LangGraph's Postgres store, for
    graphs: what was written last comes first, only items with vectors answer a query.
    """

    __slots__ = ("_for_clients", "_pool", "_vectors")

    def __init__(
        self, pool: Pool, vectors: VectorIndex | None = None, ttl: TTLConfig | None = None, *, for_clients: bool = False
    ) -> None:
        kept: TTLConfig = {"refresh_on_read": True, **(ttl or {}), "omit_expired": True}
        super().__init__(pool, index=vectors.config() if vectors is not None else None, ttl=kept)
        self._pool, self._vectors, self._for_clients = pool, vectors, for_clients

    def seen_by_clients(self) -> Items:
        """The same items, in the order of the reference server."""
        return Items(self._pool, self._vectors, self.ttl_config, for_clients=True)

    def _prepare_batch_search_queries(
        self, search_ops: Sequence[tuple[int, SearchOp]]
    ) -> tuple[list[tuple[str, list[Any]]], list[tuple[int, str]]]:
        asked = [op for _, op in search_ops]
        embedded = [(place, op.query) for place, op in enumerate(asked) if op.query and self.index_config]
        return [self._search(op) for op in asked], embedded

    def _search(self, op: SearchOp) -> tuple[str, list[Any]]:
        where, values = self._where(op)
        by_meaning = bool(op.query and self.index_config)
        # PLACEHOLDER is replaced by the query's vector.
        score, first = (_SCORE, [PLACEHOLDER]) if by_meaning else ("NULL::float8", [])
        if by_meaning:
            order = "score DESC NULLS LAST, created_at, key"
            scored = "" if self._for_clients else " WHERE score IS NOT NULL"
        else:
            order, scored = self._listing(), ""
        sql = (
            f"SELECT * FROM (SELECT {_COLUMNS}, {score} AS score FROM store WHERE {where}) AS store{scored}"
            f" ORDER BY {order} LIMIT %s OFFSET %s"
        )
        if op.refresh_ttl:
            sql = _refreshing(sql)
        return sql, [*first, *values, op.limit, op.offset]

    def _listing(self) -> str:
        if not self._for_clients:
            return "updated_at DESC, prefix, key"
        return "min(created_at) OVER (PARTITION BY prefix), prefix, created_at, key"

    def _where(self, op: SearchOp) -> tuple[str, list[Any]]:
        within, values = _namespace_prefix_condition(op.namespace_prefix)
        wanted = conditions(op.filter or {}, compare_texts=not self._for_clients)
        sql = " AND ".join([within, _LIVING, *(condition.sql for condition in wanted)])
        return sql, [*values, *(value for condition in wanted for value in condition.values)]

    def _get_batch_list_namespaces_queries(
        self, list_ops: Sequence[tuple[int, ListNamespacesOp]]
    ) -> list[tuple[str, Sequence[Any]]]:
        return [_list_namespaces(op) for _, op in list_ops]


def _refreshing(search: str) -> str:
    """The same rows, and those found live for their time to live from now on."""
    return (
        f"WITH found AS ({search}), refreshed AS ("
        " UPDATE store SET expires_at = now() + make_interval(secs => store.ttl_minutes * 60)"
        " FROM found WHERE store.prefix = found.prefix AND store.key = found.key AND store.ttl_minutes IS NOT NULL)"
        " SELECT * FROM found"
    )


def _list_namespaces(op: ListNamespacesOp) -> tuple[str, list[Any]]:
    """Rows with a dotted `truncated_prefix`, tenant first. The first condition is the tenant's prefix."""
    tenant, *rest = op.match_conditions or ()
    matched = [_matches(condition) for condition in rest if condition.path]
    where = " AND ".join(["store.prefix LIKE %s ESCAPE '\\'", _LIVING, *(part.sql for part in matched)])
    label = str(tenant.path[0])
    depth = "" if op.max_depth is None else "%s"
    sql = (
        f"SELECT array_to_string(%s::text || labels, '.') AS truncated_prefix FROM"
        f" (SELECT DISTINCT ({_LABELS})[1:{depth}] AS labels FROM store WHERE {where}) AS found"
        f' ORDER BY labels COLLATE "C" LIMIT %s OFFSET %s'
    )
    depths = [] if op.max_depth is None else [op.max_depth]
    values = [value for part in matched for value in part.values]
    escaped = label.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return sql, [label, *depths, f"{escaped}.%", *values, op.limit, op.offset]


def _matches(condition: MatchCondition) -> Condition:
    """Each label that is no `*` is compared at its place, counted from the start or from the end."""
    path = [str(label) for label in condition.path]
    sql, values = [f"cardinality({_LABELS}) >= %s"], [len(path)]
    bound: list[Any] = list(values)
    for place, label in enumerate(path):
        if label == "*":
            continue
        if condition.match_type == "prefix":
            sql.append(f"({_LABELS})[%s::int] = %s")
            bound += [place + 1, label]
        else:
            sql.append(f"({_LABELS})[cardinality({_LABELS}) - %s::int] = %s")
            bound += [len(path) - 1 - place, label]
    return Condition(" AND ".join(sql), bound)
