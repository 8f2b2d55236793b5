"""Direct mode: one model call as a graph."""

from __future__ import annotations

from functools import partial

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graphs.orchestrator import RETRY
from graphs.services import Services, local_services
from nodes.answer import answer
from state.context import Context
from state.run import RunInput, RunOutput, RunState


def build(services: Services) -> StateGraph[RunState, Context, RunInput, RunOutput]:
    """Wire the one node."""
    graph = StateGraph(RunState, context_schema=Context, input_schema=RunInput, output_schema=RunOutput)
    graph.add_node(
        "answer",
        partial(answer, models=services.models),
        retry_policy=RETRY,
        timeout=services.request_timeout_sec,
    )
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph


def make_graph() -> CompiledStateGraph[RunState, Context, RunInput, RunOutput]:
    """The factory that `langgraph.json` names."""
    return build(local_services()).compile(name="direct")
