"""The states of threads: read, listed and changed through the graph that they belong to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph.types import StateSnapshot, StateUpdate
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel, ValidationError

from server.application.graphs import Application
from server.db.committing import Statement
from server.db.grouped import GroupedSaver
from server.db.json_values import storable_text
from server.db.leases import Lease
from server.db.threads import Thread, Threads, ThreadStatus
from server.run_queue.configuration import without_servers_own
from server.snapshots import readable, snapshot
from server.wire.states import asked_checkpoint, empty_state, interrupts_by_task, thread_state
from server.wire.values import plain
from state.errors import LabError, Malformed

Supersteps = Sequence[Sequence[StateUpdate]]

log = logging.getLogger(__name__)


class ThreadStates:
    """States of threads of every tenant. Every method raises NotFound: no such thread, or its graph is not served."""

    def __init__(
        self,
        threads: Threads,
        application: Application,
        checkpointer: GroupedSaver,
        store_of: Callable[[str], BaseStore],
    ) -> None:
        """`store_of`: a tenant's long-term memory, which a graph's own code may ask."""
        self._threads = threads
        self._application = application
        self._checkpointer = checkpointer
        self._store_of = store_of

    async def read(
        self,
        tenant: str,
        thread_id: UUID,
        checkpoint: Mapping[str, Any] | None = None,
        *,
        subgraphs: bool = False,
    ) -> dict[str, Any]:
        """The newest state, or the one at `checkpoint`, as clients read it; an empty one where there is none."""
        thread = await self._threads.get(tenant, thread_id)
        if thread.graph is None:
            return empty_state()
        asked = asked_checkpoint(thread_id, checkpoint)
        config = RunnableConfig(configurable=asked)
        async with self._graph(tenant, thread, config, "threads.read", self._checkpointer) as graph:
            return thread_state(await snapshot(graph, config, subgraphs=subgraphs), asked)

    async def history(
        self,
        tenant: str,
        thread_id: UUID,
        *,
        limit: int,
        before: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """States, newest first: those before a checkpoint, whose metadata contains this, of the subgraph it names."""
        thread = await self._threads.get(tenant, thread_id)
        if thread.graph is None or limit <= 0:
            return []
        config = RunnableConfig(configurable=asked_checkpoint(thread_id, checkpoint))
        edge = RunnableConfig(configurable={"checkpoint_id": storable_text(before)}) if before else None
        async with self._graph(tenant, thread, config, "threads.read", self._checkpointer) as graph:
            states = graph.aget_state_history(config, filter=dict(metadata or {}), before=edge, limit=limit)
            return await readable(_listed(states))

    async def update(
        self, tenant: str, thread_id: UUID, supersteps: Supersteps, checkpoint: Mapping[str, Any] | None = None
    ) -> tuple[RunnableConfig, Thread]:
        """Change a thread's state as if nodes had run: where its new checkpoint is, and the thread after it.

        Checkpoints and thread are one transaction. Raises Conflict while a run is in flight, Malformed when the thread
        has no graph or the graph does not take the update.
        """
        async with self._threads.changing(tenant, thread_id) as change:
            graph_id = change.thread.graph
            if graph_id is None:
                raise Malformed(no_graph(thread_id))
            config = RunnableConfig(
                configurable=asked_checkpoint(thread_id, checkpoint), metadata={"graph_id": graph_id}
            )
            saver = saver_on(change.connection, self._checkpointer)
            async with self._graph(tenant, change.thread, config, "threads.update", saver) as graph:
                try:
                    changed = await graph.abulk_update_state(config, supersteps)
                    state = await graph.aget_state({"configurable": {"thread_id": str(thread_id)}})
                    check_fits(graph, state.values)
                except (LabError, psycopg.Error):
                    raise
                except ValidationError as error:
                    wrong = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
                    raise Malformed("; ".join(wrong)) from error
                except Exception as error:
                    # Reducers and branches are the graph's own code: they may raise anything about an update.
                    log.debug("thread %s does not take an update", thread_id, exc_info=error)
                    raise Malformed(str(error)) from error
            status: ThreadStatus = "interrupted" if state.next else "idle"
            return changed, await change.set_state(status, plain(state.values), plain(interrupts_by_task(state)))

    async def fill(self, tenant: str, thread: Thread, supersteps: Supersteps) -> tuple[Thread, str | None]:
        """The first states of a thread that was just made, and why there are none where its graph is not known.

        Raises Malformed when the graph does not take them.
        """
        if thread.graph is None:
            return thread, no_graph(thread.thread_id)
        if thread.graph not in self._application.names:
            return thread, f"Graph '{thread.graph}' not found. Expected one of: {sorted(self._application.names)}"
        return (await self.update(tenant, thread.thread_id, supersteps))[1], None

    @asynccontextmanager
    async def _graph(
        self, tenant: str, thread: Thread, config: RunnableConfig, access: str, saver: GroupedSaver
    ) -> AsyncIterator[Any]:
        """The thread's graph. A factory is told what its runs were configured with: which crew it is, for example."""
        graph_id = thread.graph
        assert graph_id is not None
        configured = without_servers_own(thread.config.get("configurable") or {})
        asked = RunnableConfig(configurable={**configured, **config["configurable"], "graph_id": graph_id})
        async with self._application.graph(
            graph_id, asked, access=access, checkpointer=saver, store=self._store_of(tenant)
        ) as graph:
            yield graph


async def _listed(states: AsyncIterator[StateSnapshot]) -> list[dict[str, Any]]:
    return [thread_state(state) async for state in states]


def no_graph(thread_id: UUID) -> str:
    """In the reference server's words."""
    return (
        f"Thread '{thread_id}' has no assigned graph ID. This usually occurs when no runs have been made on this "
        "particular thread. This operation requires a graph ID. Please ensure a run has been made for the thread or "
        "manually update the thread metadata (by setting the 'graph_id' field) before running this operation."
    )


def saver_on(connection: AsyncConnection[DictRow], saver: GroupedSaver) -> GroupedSaver:
    """The same saver within somebody's transaction: it reads there, and what it writes is committed with that."""
    lent = _Lent(connection)
    return GroupedSaver(cast("Any", lent), cast("Any", lent), saver.serde)


class _Lent:
    """One connection in the place of the pool and of the committer."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        yield self._connection

    async def commit(self, statements: Sequence[Statement], lease: Lease | None = None) -> None:
        async with self._connection.cursor() as cursor:
            for query, rows in statements:
                await cursor.executemany(query, rows)


def check_fits(graph: Pregel[Any, Any, Any, Any], values: Any) -> None:
    """Refuse a state that a graph's own model does not take: every later run of the thread would end with that.

    What is missing at the top may come with a run's input. Raises ValidationError.
    """
    schema = getattr(getattr(graph, "builder", None), "state_schema", None)
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return
    try:
        schema.model_validate(values)
    except ValidationError as error:
        if any(wrong["type"] != "missing" or len(wrong["loc"]) > 1 for wrong in error.errors()):
            raise
