"""The orchestrator: history → analyzer → monitor → executor ⇄ tools → validator ⟲ → summary, a human on request."""

from __future__ import annotations

from functools import partial

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

from graphs.services import Services, local_services
from nodes.analyze import analyze_task
from nodes.execute import execute
from nodes.history import read_history
from nodes.humans.load import approve_load
from nodes.humans.score import ask_human
from nodes.humans.tool_calls import call_unless_answered
from nodes.humans.tools import approve_tools
from nodes.monitor import monitor_resources
from nodes.plugins import work, work_failed
from nodes.routes import (
    after_analyze,
    after_execute,
    after_human,
    after_load,
    after_monitor,
    after_plugin,
    after_tools_decision,
    after_validate,
)
from nodes.summarise import summarise
from nodes.tools.failures import tell_failure
from nodes.validate import validate_answer
from state.context import Context
from state.errors import BadRequest, Unavailable
from state.run import RunInput, RunOutput, RunState

RETRY = RetryPolicy(max_attempts=3, initial_interval=0.5, retry_on=Unavailable)
"""For what is unavailable now, such as memory; an answer that is merely bad is retried by the validator's edge."""


def build(services: Services) -> StateGraph[RunState, Context, RunInput, RunOutput]:
    """Wire the orchestrator; compile it with the checkpointer of whoever runs it."""
    models = services.models
    graph = StateGraph(RunState, context_schema=Context, input_schema=RunInput, output_schema=RunOutput)

    graph.add_node("read_history", read_history)
    graph.add_node("analyze_task", partial(analyze_task, models=models))
    graph.add_node("monitor_resources", partial(monitor_resources, models=models))
    graph.add_node("approve_load", partial(approve_load, models=models))
    graph.add_node(
        "execute",
        partial(execute, models=models, tools=services.tools),
        retry_policy=RETRY,
        timeout=services.request_timeout_sec,
    )
    graph.add_node("approve_tools", partial(approve_tools, tools=services.tools))
    graph.add_node(
        "call_tools",
        ToolNode(
            services.tools,
            messages_key="scratch",
            handle_tool_errors=tell_failure,
            awrap_tool_call=call_unless_answered,
        ),
    )
    graph.add_node("validate_answer", partial(validate_answer, models=models, embed=services.embed))
    graph.add_node("ask_human", ask_human)
    graph.add_node("summarise", summarise)

    graph.add_edge(START, "read_history")
    graph.add_edge("read_history", "analyze_task")
    add_plugins(graph, services)
    graph.add_conditional_edges("monitor_resources", after_monitor)
    graph.add_conditional_edges("approve_load", after_load)
    graph.add_conditional_edges("execute", after_execute)
    graph.add_conditional_edges("approve_tools", after_tools_decision)
    graph.add_edge("call_tools", "execute")
    graph.add_conditional_edges("validate_answer", after_validate)
    graph.add_conditional_edges("ask_human", after_human)
    graph.add_edge("summarise", END)
    return graph


def add_plugins(graph: StateGraph[RunState, Context, RunInput, RunOutput], services: Services) -> None:
    """The operator's own nodes, asked before any model. Raises BadRequest for one that is named like a node here."""
    for plugin in services.plugins:
        if plugin.name in graph.nodes:
            raise BadRequest(f"a plugin cannot be named '{plugin.name}': the orchestrator has a node of that name")
        graph.add_node(
            plugin.name,
            partial(work, plugin=plugin),
            metadata={"plugin": plugin.description},
            retry_policy=RETRY,
            timeout=services.request_timeout_sec,
            error_handler=work_failed,
        )
        graph.add_conditional_edges(plugin.name, after_plugin)
    graph.add_conditional_edges(
        "analyze_task",
        partial(after_analyze, plugins=services.plugins),
        [*(plugin.name for plugin in services.plugins), "monitor_resources"],
    )


def make_graph() -> CompiledStateGraph[RunState, Context, RunInput, RunOutput]:
    """The factory that `langgraph.json` names."""
    return build(local_services()).compile(name="orchestrator")
