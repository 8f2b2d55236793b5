"""The orchestrator: history → analyzer → monitor → executor ⇄ tools → validator ⟲ → summary, a human on request."""

from __future__ import annotations

from functools import partial

from langchain_core.tools import ToolException
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from graphs.services import Services, local_services
from nodes.analyze import analyze_task
from nodes.approve import ask_human
from nodes.execute import execute
from nodes.history import read_history
from nodes.monitor import monitor_resources
from nodes.routes import after_execute, after_human, after_validate
from nodes.summarise import summarise
from nodes.validate import validate_answer
from state.context import Context
from state.errors import Unavailable
from state.run import RunInput, RunOutput, RunState

RETRY = RetryPolicy(max_attempts=3, initial_interval=0.5, retry_on=Unavailable)
"""For what is unavailable now, such as memory; an answer that is merely bad is retried by the validator's edge."""


def build(services: Services) -> StateGraph[RunState, Context, RunInput, RunOutput]:
    """Wire the orchestrator; compile it with the checkpointer of whoever runs it."""
    models = services.models
    graph = StateGraph(RunState, context_schema=Context, input_schema=RunInput, output_schema=RunOutput)

    graph.add_node("read_history", read_history)
    graph.add_node("analyze_task", analyze_task)
    graph.add_node("monitor_resources", partial(monitor_resources, models=models))
    graph.add_node(
        "execute",
        partial(execute, models=models, tools=services.tools),
        retry_policy=RETRY,
        timeout=services.request_timeout_sec,
    )
    graph.add_node(
        "call_tools", ToolNode(services.tools, messages_key="scratch", handle_tool_errors=(ToolException, ValueError))
    )
    graph.add_node("validate_answer", validate_answer)
    graph.add_node("ask_human", ask_human)
    graph.add_node("summarise", summarise)

    graph.add_edge(START, "read_history")
    graph.add_edge("read_history", "analyze_task")
    graph.add_edge("analyze_task", "monitor_resources")
    graph.add_edge("monitor_resources", "execute")
    graph.add_conditional_edges("execute", after_execute)
    graph.add_edge("call_tools", "execute")
    graph.add_conditional_edges("validate_answer", after_validate)
    graph.add_conditional_edges("ask_human", after_human)
    graph.add_edge("summarise", END)
    return graph


def make_graph() -> CompiledStateGraph[RunState, Context, RunInput, RunOutput]:
    """The factory that `langgraph.json` names."""
    return build(local_services()).compile(name="orchestrator")
