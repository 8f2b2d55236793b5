"""GraphAgent: another graph or assistant of this server, run as a subgraph of the one that asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, is_typeddict

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.errors import GraphRecursionError
from langgraph.pregel import Pregel
from pydantic import BaseModel, Field, ValidationError, model_validator

from nodes.agents.config import AgentConfig, config_of, read_config
from nodes.agents.failures import NotAgain
from nodes.agents.graph_values import answer_of, input_for, schema_of
from nodes.agents.usage import counted
from nodes.agents.words import one_line
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import AgentFailed, BadRequest
from state.flows import AgentSpec

MAX_DEPTH = 5
"""Graphs within graphs."""
WITHIN = "lab_graphs"
"""In `configurable`: the graphs and assistants that this one runs in. A client who sets it shortens its own way."""
OURS = ("thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map", "crew", "flow")
"""Of the caller, and not to be said anew by the configuration of the graph that is called."""


class GraphConfig(AgentConfig):
    """Which graph; `context`: settings of its run."""

    graph: str | None = Field(None, min_length=1, max_length=200)
    assistant_id: str | None = Field(None, min_length=1, max_length=200)
    context: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_both(self) -> GraphConfig:
        if (self.graph is None) == (self.assistant_id is None):
            raise ValueError("say graph, the name of a graph, or assistant_id, and not both")
        return self

    @property
    def target(self) -> str:
        """The graph's name or the assistant's id."""
        return self.graph or self.assistant_id or ""


class GraphKind:
    """The kind `GraphAgent`. Fills `state.agent_ports.AgentKind`."""

    name = "GraphAgent"
    description = "another graph of this server (config.graph) or an assistant (config.assistant_id)"
    capabilities = ()

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest where not one graph is named."""
        read_config(GraphConfig, spec.config, spec.agent_id)

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest as `check` does."""
        self.check(spec)
        return GraphAgent(spec, needs)


class GraphAgent:
    """One graph, ready to be asked. Fills `state.agent_ports.Agent`."""

    def __init__(self, spec: AgentSpec, needs: AgentNeeds) -> None:
        self._spec = spec
        self._graphs = needs.graphs

    async def process(self, call: AgentCall) -> AgentReply:
        """Run it. Raises BadRequest (no server, too deep, an input it does not take), NotFound, NotAgain where its own
        agents failed or it came to no end, and what else it raises; its interrupts pass.
        """
        config = read_config(GraphConfig, config_of(self._spec, call), self._spec.agent_id)
        if self._graphs is None:
            raise BadRequest(f"agent '{call.agent_id}': graphs are run by a server only, and here is none")
        within = (*within_now(), config.target)
        check_within(within, call.agent_id)
        async with self._graphs.open(config.target) as (graph, found):
            said = {**call.context.model_dump(exclude_unset=True), **found.get("configurable", {}), **config.context}
            context = context_of(graph, said, call.agent_id)
            told = input_for(schema_of(graph), call, config.target)
            with counted() as usage:
                try:
                    final = await graph.ainvoke(told, _run_config(found, within), context=context)
                except (AgentFailed, GraphRecursionError) as error:
                    # Its own steps were tried again. Crews within crews would else multiply: 3 tries, 5 deep, make 243.
                    raise NotAgain(str(error)) from error
        output, text = answer_of(final)
        return AgentReply(
            output=output,
            text=text,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            model=usage.model,
        )


def within_now() -> tuple[str, ...]:
    """The graphs and assistants within which the step runs, the outermost first."""
    try:
        configurable = get_config().get("configurable", {})
    except RuntimeError:  # outside of any run
        return ()
    said = configurable.get(WITHIN)
    if isinstance(said, list):
        return tuple(map(str, said))
    outermost = configurable.get("assistant_id")
    return (str(outermost),) if outermost is not None else ()


def check_within(within: Sequence[str], agent_id: str) -> None:
    """Raises BadRequest when the last one runs within itself, or too deep."""
    *outer, target = within
    if target in outer:
        raise BadRequest(f"agent '{agent_id}': '{target}' would run within itself: {' > '.join(within)}")
    if len(outer) > MAX_DEPTH:
        raise BadRequest(f"agent '{agent_id}': '{target}' would run within {len(outer)} graphs; at most {MAX_DEPTH}")


def _run_config(found: RunnableConfig, within: Sequence[str]) -> RunnableConfig:
    """The assistant's configuration; whose thread and checkpoints these are stays as the caller has it."""
    configurable = {
        key: value
        for key, value in found.get("configurable", {}).items()
        if key not in OURS and not key.startswith("__")
    }
    return RunnableConfig(**{**found, "configurable": {**configurable, WITHIN: list(within)}})


def context_of(graph: Pregel[Any, Any, Any, Any], said: Mapping[str, Any], agent_id: str) -> Any:
    """Of the settings those that the graph has; None where it has none. Raises BadRequest for one that does not fit."""
    schema = graph.context_schema
    if schema is None:
        return None
    # Never None where there is a schema: LangGraph would hand on the caller's context, which is a crew's.
    known = {key: value for key, value in said.items() if key in _fields_of(schema)}
    try:
        return known if is_typeddict(schema) else schema(**known)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, wrong["loc"])) or "it"
        raise BadRequest(f"agent '{agent_id}': config.context: {where}: {one_line(wrong['msg'])}") from error
    except (TypeError, ValueError) as error:  # a dataclass that needs more, or checks for itself
        raise BadRequest(f"agent '{agent_id}': config.context: {one_line(str(error))}") from error


def _fields_of(schema: type[Any]) -> Collection[str]:
    """Their names, those of its base classes included."""
    if issubclass(schema, BaseModel):
        return schema.model_fields
    return [one.name for one in fields(schema)] if is_dataclass(schema) else schema.__annotations__
