"""One tenant's view of the store: its label is the first of every namespace in Postgres, and of none outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    validate_op_namespace,
)

from server.db.connection import told_as_no_database
from server.db.items import Items

MAX_TTL_MINUTES = 50_000_000.0
"""95 years; more than Postgres can add to a date must not fail a write."""
MAX_NAME_BYTES = 2_000
"""Of a namespace's labels and the key together: what an index entry of Postgres surely holds."""
MAX_DEPTH = 1_000


class TenantStore(BaseStore):
    """A store for graphs and for the API alike. Each call takes its own connection: none waits for another's embedding.

    Raises ValueError, as LangGraph's stores do, for a namespace or filter that cannot be; NoDatabase.
    """

    supports_ttl = True

    def __init__(self, items: Items, tenant: str, dsn: str) -> None:
        """`tenant` holds no dot, which ends a label in Postgres."""
        if not tenant or "." in tenant:
            raise ValueError(f"a tenant's name is not empty and holds no dots: {tenant!r}")
        self._items, self._tenant, self._dsn = items, tenant, dsn
        self._loop = items.loop
        self.ttl_config = items.ttl_config

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        inside = [self._inwards(op) for op in ops]
        with told_as_no_database(self._dsn):
            results = await self._items.abatch(inside)
        return [self._outwards(result) for result in results]

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """For nodes that are no coroutines, which run in threads."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run_coroutine_threadsafe(self.abatch(ops), self._loop).result()
        raise asyncio.InvalidStateError("on the event loop, use the store's async methods (aget, aput, asearch)")

    def _inwards(self, op: Op) -> Op:
        validate_op_namespace(op)
        match op:
            case GetOp():
                _check_name(op.namespace, op.key)
                return op._replace(namespace=(self._tenant, *op.namespace))
            case PutOp():
                _check_name(op.namespace, op.key)
                return op._replace(namespace=(self._tenant, *op.namespace), ttl=_bounded(op.ttl))
            case SearchOp():
                return op._replace(namespace_prefix=(self._tenant, *op.namespace_prefix))
            case ListNamespacesOp():
                ours = MatchCondition("prefix", (self._tenant,))
                depth = None if op.max_depth is None else max(0, min(op.max_depth, MAX_DEPTH))
                return op._replace(match_conditions=(ours, *(op.match_conditions or ())), max_depth=depth)
        raise ValueError(f"Unknown operation type: {type(op)}")

    def _outwards(self, result: Result) -> Result:
        match result:
            case Item():
                result.namespace = result.namespace[1:]
            case list():
                return [self._listed(found) for found in result]
        return result

    def _listed(self, found: Any) -> Any:
        if isinstance(found, SearchItem):
            found.namespace = found.namespace[1:]
            return found
        return found[1:]


def _check_name(namespace: tuple[str, ...], key: str) -> None:
    if "\0" in key:
        raise ValueError("a key holds no NUL character")
    size = len(".".join((*namespace, key)).encode("utf-8", "replace"))
    if size > MAX_NAME_BYTES:
        raise ValueError(f"the namespace and key have {size:,} bytes; at most {MAX_NAME_BYTES:,} are kept")


def _bounded(minutes: float | None) -> float | None:
    """Rounded to a tenth of a second, so that Postgres never reads an exponent."""
    return None if minutes is None else round(max(0.0, min(float(minutes), MAX_TTL_MINUTES)), 3)
