"""The graphs that a server serves: by name, ready to run on its checkpointer and store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from graphs import direct, orchestrator
from graphs.catalog import BUILDERS, DEFINED, RECURSION_LIMIT
from graphs.crews import build as crews
from graphs.flows import compile as flows
from graphs.services import Services
from server.application.config import AppConfig
from server.application.defined import Compiling
from server.application.factories import Compiled, Factory, compiled, made_by, runtime_for
from server.application.graph_types import types_of
from server.application.loading import Loaded, Served, load
from server.db.assistant_shapes import GraphLabel
from server.db.vectors import VectorIndex
from server.graph_views import label
from state.agent_ports import AgentNeeds
from state.errors import NotFound

log = logging.getLogger(__name__)

DEFAULT_STEPS = 10_007
"""LangGraph's own limit, told to factories where a run has none; the graph applies its own."""
EXECUTION = "threads.create_run"
"""The access for which a graph is run; for every other it is only looked at."""

OWN: Mapping[object, str] = {
    orchestrator.make_graph: "orchestrator",
    direct.make_graph: "direct",
    crews.make_graph: "crew",
    flows.make_graph: "flow",
}
"""Factories of ours that other hosts call; here the lab's services are at hand, and its models are not opened twice."""


class Application:
    """Use `open_application`."""

    def __init__(
        self,
        served: Mapping[str, Served],
        *,
        config: AppConfig | None = None,
        app: Any = None,
        types: Iterable[type] = (),
        index: VectorIndex | None = None,
        lab: Mapping[str, Served] | None = None,
    ) -> None:
        """`types`: classes that states may hold beside those they are annotated with. `lab`: the graphs behind the
        lab's own routes, by our names for them; those that are not served run here all the same."""
        self._served = served
        self._lab = lab or {}
        self._hidden = {one.name: one for one in self._lab.values() if one.name not in served}
        self._types = types
        self.config = config
        """The langgraph.json; None for the graphs of Agent Lab without one."""
        self.app = app
        """The ASGI application that `http.app` names, or None."""
        self.index = index
        """What `store.index` describes, or None."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all graphs, in the order of the file."""
        return tuple(self._served)

    def labels(self) -> list[GraphLabel]:
        """How each graph is called in lists: by the name that its author gave it, or by that in the file."""
        named = {name: served.target for name, served in self._served.items() if isinstance(served.target, Pregel)}
        return [
            GraphLabel(name, label(named[name], name) if name in named else name, served.description)
            for name, served in self._served.items()
        ]

    def lab_graph(self, name: str) -> str:
        """The id of the graph behind a route of the lab, `direct` or `orchestrator`. Raises NotFound."""
        return self._lab[name].name if name in self._lab else self._find(name).name

    def description(self, graph_id: str) -> str | None:
        """What the file says about a graph. Raises NotFound."""
        return self._find(graph_id).description

    def default_config(self, graph_id: str) -> RunnableConfig:
        """What a run of this graph is configured with where nobody says otherwise. Raises NotFound."""
        target = self._find(graph_id).target
        limits = isinstance(target, Pregel) and (target.config or {}).get("recursion_limit")
        return RunnableConfig(recursion_limit=limits) if limits else RunnableConfig()

    def graph(
        self,
        graph_id: str,
        config: RunnableConfig | None = None,
        *,
        access: str = "assistants.read",
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        store: BaseStore | None = None,
        context: object = None,
    ) -> AbstractAsyncContextManager[CompiledStateGraph[Any, Any, Any, Any]]:
        """The graph for one use. A factory is called for it, with `config` and `context` as the run has them.

        `access` says what for: threads.create_run, threads.update, threads.read, assistants.read. Raises NotFound for
        an unknown name, InvalidGraph where a factory gives no graph, and what a factory raises itself.
        """
        return self._graph(self._find(graph_id), config, access, checkpointer, store, context)

    def types(self) -> set[tuple[str, ...]]:
        """Module and name of what a checkpoint may hold, other than the types of graphs that a factory makes."""
        named = {(one.__module__, one.__name__) for one in self._types}
        return named | {one for _, graph in self.plain() for one in types_of(graph)}

    def plain(self) -> Iterator[tuple[str, Compiled]]:
        """The graphs that no factory makes: what can be known of the application before any run."""
        for name, served in self._served.items():
            if isinstance(served.target, Pregel):
                yield name, served.target

    @asynccontextmanager
    async def _graph(
        self,
        served: Served,
        config: RunnableConfig | None,
        access: str,
        checkpointer: BaseCheckpointSaver[Any] | None,
        store: BaseStore | None,
        context: object,
    ) -> AsyncIterator[Any]:
        # A copy takes 16 µs for three nodes; compiling anew takes 30 times that.
        ours: dict[str, Any] = {"checkpointer": checkpointer, "store": store}
        if isinstance(served.target, Pregel):
            yield served.target.copy(update={**ours, "name": label(served.target, served.name)})
            return
        asked = factory_config(config, executes=access == EXECUTION)
        async with made_by(served.target, asked, runtime_for(access, store, context)) as made:
            graph = compiled(served.name, made)
            if checkpointer is not None:
                ours["checkpointer"] = checkpointer.with_allowlist(types_of(graph))
            yield graph.copy(update={**ours, "name": label(graph, served.name)})

    def _find(self, graph_id: str) -> Served:
        found = self._served.get(graph_id) or self._hidden.get(graph_id)
        if found is None:
            raise NotFound(f"Graph '{graph_id}' not found. Expected one of: {sorted(self._served)}")
        return found


async def open_application(
    config: AppConfig | None, services: Services, agents: Callable[[], AgentNeeds] | None = None
) -> Application:
    """Load what is served: the graphs of `config`, or Agent Lab's own. Raises BadRequest.

    `agents`: what crews and flows are built over, asked when the first of them is; None: nothing is registered.
    """
    return await _opened(config, services, lambda: replace(services, agents=agents() if agents else None))


async def _opened(config: AppConfig | None, services: Services, staffed: Callable[[], Services]) -> Application:
    if config is None:
        own = {name: _own(name, name, services, staffed) for name in (*BUILDERS, *DEFINED)}
        return Application(own, lab={name: own[name] for name in BUILDERS})
    loaded: Loaded = await asyncio.to_thread(load, config)
    served = {name: _with_services(one, services, staffed) for name, one in loaded.graphs.items()}
    lab = {name: _behind_routes(name, loaded, served, services, staffed) for name in BUILDERS}
    return Application(served, config=config, app=loaded.app, types=loaded.types, index=loaded.index, lab=lab)


def _behind_routes(
    graph: str, loaded: Loaded, served: Mapping[str, Served], services: Services, staffed: Callable[[], Services]
) -> Served:
    """A graph of ours for the lab's own routes: as it is served, or beside what an application calls so."""
    if graph not in served:
        return _own(graph, graph, services, staffed)
    return served[graph] if _ours(loaded.graphs[graph]) == graph else _own(f"lab:{graph}", graph, services, staffed)


def factory_config(config: RunnableConfig | None, *, executes: bool) -> RunnableConfig:
    """What a factory is given: the same keys always, and a mark whether the graph will be run."""
    given: Mapping[str, Any] = config or {}
    configurable = {**given.get("configurable", {}), "__is_for_execution__": executes}
    return RunnableConfig(
        tags=given.get("tags", []),
        metadata=given.get("metadata", {}),
        callbacks=given.get("callbacks"),
        recursion_limit=given.get("recursion_limit", DEFAULT_STEPS),
        configurable=configurable,
    )


def _with_services(served: Served, services: Services, staffed: Callable[[], Services]) -> Served:
    own = _ours(served)
    return served if own is None else _own(served.name, own, services, staffed, served.description)


def _ours(served: Served) -> str | None:
    """Which graph of ours a file's factory makes, if it is one of them."""
    target = served.target
    call: Callable[..., Any] | None = target.call if isinstance(target, Factory) else None
    return OWN.get(call) if call is not None and call.__hash__ is not None else None


def _own(
    name: str, graph: str, services: Services, staffed: Callable[[], Services], description: str | None = None
) -> Served:
    """A graph of ours under a name, on the lab's models and agents."""
    if graph in DEFINED:
        factory = Factory(Compiling(name, graph, DEFINED[graph], staffed), {"config": "config"})
        return Served(name, factory, description)
    built = BUILDERS[graph](services).compile(name=name)
    return Served(name, built.with_config(RunnableConfig(recursion_limit=RECURSION_LIMIT)), description)
