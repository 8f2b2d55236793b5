"""The server's own graphs as agents of other graphs: what `GraphAgent` asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from server.application.graphs import EXECUTION, Application
from server.db.assistant_shapes import Assistant
from server.db.assistants import Assistants
from server.run_queue.configuration import safe_config
from state.errors import NotFound


class NestedGraphs:
    """Fills `state.agent_ports.ServedGraphs` for one tenant."""

    def __init__(self, application: Application, assistants: Assistants, tenant: str) -> None:
        self._application, self._assistants, self._tenant = application, assistants, tenant

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[tuple[Pregel[Any, Any, Any, Any], RunnableConfig]]:
        """A graph by its name or an assistant by its id, with its configuration.

        It has no checkpointer of its own: it is a subgraph of the run that calls it. Raises NotFound.
        """
        found = await self._found(name)
        given: Mapping[str, Any] = safe_config(found.config)
        configurable = {**given.get("configurable", {}), **found.context}
        config = RunnableConfig(**{**given, "configurable": configurable})  # type: ignore[typeddict-item]
        async with self._application.graph(found.graph_id, config, access=EXECUTION, context=found.context) as graph:
            yield graph, config

    async def check(self, name: str) -> None:
        """Whether there is one to open; nothing is built. Raises NotFound."""
        await self._found(name)

    async def _found(self, name: str) -> Assistant:
        found = await self._assistants.find(self._tenant, name)
        if found is None:
            known = ", ".join(self._application.names)
            raise NotFound(f"there is no graph or assistant '{name[:200]}'; graphs are: {known}")
        return found
