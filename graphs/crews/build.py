"""The graph `crew`: a crew's definition out of a run's configuration, as the graph of its mode.

A saved crew is an assistant of this graph with the definition in `config.configurable.crew`. Without one it is the
shipped pair of a researcher and a writer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph

from graphs.crews import adaptive, dag, parallel, sequential
from graphs.crews.check import check_crew
from graphs.flows.faults import Positions
from graphs.flows.shapes import shaped
from graphs.services import Services, local_services
from graphs.teams import TeamGraph, needs_of
from state.agent_ports import AgentNeeds
from state.crew_run import CrewContext, CrewInput, CrewOutput, CrewState
from state.flows import CrewSpec, Mode

PAIR = Path(__file__).with_name("library") / "pair.yaml"

MODES: Mapping[Mode, Callable[[CrewSpec, AgentNeeds], TeamGraph]] = MappingProxyType(
    {"sequential": sequential.build, "parallel": parallel.build, "flow": dag.build, "adaptive": adaptive.build}
)


def build(crew: CrewSpec, needs: AgentNeeds) -> TeamGraph:
    """The graph of a crew. Raises BadRequest for a crew with mistakes."""
    check_crew(crew, needs)
    return MODES[crew.execution_mode](crew, needs)


def build_from(services: Services, config: RunnableConfig) -> TeamGraph:
    """The graph of the crew that a configuration holds. Raises BadRequest for a crew with mistakes."""
    return build(crew_of(config), needs_of(services))


def crew_of(config: RunnableConfig) -> CrewSpec:
    """The definition in `configurable.crew`, or the shipped one. Raises BadRequest for what is none."""
    said = (config.get("configurable") or {}).get("crew")
    if said is None:
        return default_crew()
    return said if isinstance(said, CrewSpec) else read_crew(said)


def read_crew(data: Any, positions: Positions | None = None) -> CrewSpec:
    """A definition as JSON has it. Raises FlowErrors, a BadRequest, with every key that is wrong."""
    return shaped(CrewSpec, data, positions or Positions("crew"))


@cache
def default_crew() -> CrewSpec:
    """A researcher and a writer, one after the other, on the default model."""
    return read_crew(yaml.safe_load(PAIR.read_text(encoding="utf-8")))


def make_graph(config: RunnableConfig) -> CompiledStateGraph[CrewState, CrewContext, CrewInput, CrewOutput]:
    """The factory that `langgraph.json` names."""
    return build_from(local_services(), config).compile(name="crew")
