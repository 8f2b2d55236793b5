"""Which types a graph's checkpoints may hold: all that its states, nodes and subgraphs are annotated with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langgraph.channels.base import BaseChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel

from server.application.allowed_types import reachable_types


def types_of(graph: Pregel[Any, Any, Any, Any]) -> set[tuple[str, ...]]:
    """Module and name of each class, as checkpoints name them; TypedDicts are dicts and not among them."""
    return {(found.__module__, found.__name__) for found in reachable_types(_annotations(graph))}


def _annotations(graph: Pregel[Any, Any, Any, Any]) -> Iterator[object]:
    for channel in graph.channels.values():
        # A graph that is not built of a StateGraph, an @entrypoint for one, has channels alone.
        if isinstance(channel, BaseChannel):
            yield channel.ValueType
            yield channel.UpdateType
    if isinstance(graph, CompiledStateGraph):
        builder = graph.builder
        yield from (builder.state_schema, builder.input_schema, builder.output_schema, builder.context_schema)
        yield from (node.input_schema for node in builder.nodes.values())
        yield from (branch.input_schema for branches in builder.branches.values() for branch in branches.values())
    for _, subgraph in graph.get_subgraphs():
        if isinstance(subgraph, Pregel):
            yield from _annotations(subgraph)
