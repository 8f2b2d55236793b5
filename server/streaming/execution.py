"""A run of a graph as the events that its clients see."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.constants import TAG_HIDDEN
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl
from langgraph.types import All, Durability

from server.streaming.messages import Told
from server.streaming.modes import Outcome, Speaker, subscribed, unwatched
from server.wire.values import encode

AnyGraph = CompiledStateGraph[Any, Any, Any, Any]
Breakpoints = All | Sequence[str] | None

_OF_A_STEP = frozenset({"updates", "tasks", "debug"})
"""Modes that tell of each step once; the state, which `values` tells, can be read again."""


@dataclass(frozen=True)
class StreamOptions:
    """How a run is streamed and where it stops."""

    modes: tuple[str, ...] = ("values",)
    """values, updates, messages, messages-tuple, custom, events, debug, tasks, checkpoints."""
    subgraphs: bool = False
    interrupt_before: Breakpoints = None
    """Names of nodes, or `*` for all."""
    interrupt_after: Breakpoints = None
    durability: Durability = "async"
    temporary: bool = False
    """The run's thread goes with it."""


def stream_options(kwargs: Mapping[str, Any]) -> StreamOptions:
    """What a run's kwargs (`server/run_queue/shapes.py`) say of its stream."""
    modes = kwargs.get("stream_mode") or ["values"]
    during = kwargs.get("checkpoint_during")
    return StreamOptions(
        modes=(modes,) if isinstance(modes, str) else tuple(modes),
        subgraphs=bool(kwargs.get("subgraphs")),
        interrupt_before=kwargs.get("interrupt_before") or None,
        interrupt_after=kwargs.get("interrupt_after") or None,
        durability=cast("Durability | None", kwargs.get("durability")) or ("exit" if during is False else "async"),
        temporary=bool(kwargs.get("temporary")),
    )


async def run_graph(
    graph: AnyGraph,
    given: Any,
    config: RunnableConfig,
    *,
    context: Any,
    options: StreamOptions,
    outcome: Outcome,
    control: RunControl | None = None,
    watch: Callable[[Mapping[str, Any]], None] = unwatched,
) -> AsyncGenerator[Told, None]:
    """Run `graph` and yield its events: name and data as JSON on one line.

    `outcome` is filled in on the way and may be read at any time, also after an error. `config["run_id"]` is the run's
    id. `watch` is told of the begin and the end of each task of the graph itself. Whatever the graph raises is raised
    here, after what came before it; closing this generator stops the run.
    """
    if not _OF_A_STEP.isdisjoint(options.modes):
        # Else LangGraph tells of the last step only when its checkpoint is kept: a process that dies in between would
        # have told nothing of it, and nobody after it would.
        graph = graph.copy({"stream_eager": True})
    speaker = Speaker(frozenset(options.modes), outcome, options.temporary, watch)
    calling: dict[str, Any] = {
        "context": context,
        "stream_mode": subscribed(options.modes),
        "subgraphs": options.subgraphs,
        "interrupt_before": options.interrupt_before,
        "interrupt_after": options.interrupt_after,
        "durability": options.durability,
        "control": control,
    }
    if "events" in options.modes:
        told = _with_events(graph, given, config, calling, speaker, subgraphs=options.subgraphs)
    else:
        told = _parts(graph, given, config, calling, speaker, subgraphs=options.subgraphs)
    async with aclosing(told):
        async for event in told:
            yield event


def calling_back(graph: AnyGraph, config: RunnableConfig, callback: BaseCallbackHandler) -> RunnableConfig:
    """`config` with a callback beside those that the graph was made with, whose place a run's own would take."""
    own = (graph.config or {}).get("callbacks")
    if own is None:
        return {**config, "callbacks": [callback]}
    return {**config, "callbacks": merge_configs({"callbacks": own}, {"callbacks": [callback]})["callbacks"]}


async def _parts(
    graph: AnyGraph,
    given: Any,
    config: RunnableConfig,
    calling: dict[str, Any],
    speaker: Speaker,
    *,
    subgraphs: bool,
) -> AsyncGenerator[Told, None]:
    # LangGraph's own default is every channel; clients see what the output schema has, except among events.
    parts: AsyncIterator[Any] = graph.astream(given, config, output_keys=graph.output_channels, **calling)
    async with aclosing(cast("AsyncGenerator[Any, None]", parts)):
        async for part in parts:
            for event in speaker.tell(*(part if subgraphs else ((), *part))):
                yield event


async def _with_events(
    graph: AnyGraph,
    given: Any,
    config: RunnableConfig,
    calling: dict[str, Any],
    speaker: Speaker,
    *,
    subgraphs: bool,
) -> AsyncGenerator[Told, None]:
    """The same with LangChain's events between: the graph's own parts come as chunks of its root run."""
    root = str(config["run_id"])
    events = graph.astream_events(given, config, version="v2", **calling)
    async with aclosing(cast("AsyncGenerator[Any, None]", events)):
        async for event in events:
            if event["event"] == "on_chain_stream" and event["run_id"] == root:
                part = event["data"]["chunk"]
                for told in speaker.tell(*(part if subgraphs else ((), *part))):
                    yield told
            elif TAG_HIDDEN not in event.get("tags", ()):
                yield "events", encode(event)
