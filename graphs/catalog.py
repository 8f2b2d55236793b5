"""Graph name → builder: what a run, a thread or an assistant can point at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph

from graphs import direct, orchestrator
from graphs.crews import build as crews
from graphs.flows import compile as flows
from graphs.services import Services
from state.errors import NotFound

Builder = Callable[[Services], StateGraph[Any, Any, Any, Any]]
DefinitionBuilder = Callable[[Services, RunnableConfig], StateGraph[Any, Any, Any, Any]]
"""Makes the graph that `config["configurable"]` describes."""

BUILDERS: Mapping[str, Builder] = MappingProxyType({"orchestrator": orchestrator.build, "direct": direct.build})

DEFINED: Mapping[str, DefinitionBuilder] = MappingProxyType({"crew": crews.build_from, "flow": flows.build_from})
"""Graphs that a definition describes, by the key under which the configuration holds it."""

RECURSION_LIMIT = 400
"""Steps of one run at most: ten attempts, each with ten tool rounds, stay below it; LangGraph's default does not."""


def builder_of(name: str) -> Builder:
    """The builder of a graph. Raises NotFound with the known names."""
    try:
        return BUILDERS[name]
    except KeyError:
        raise NotFound(f"there is no graph '{name}'; choose one of: {', '.join(BUILDERS)}") from None
