"""Tools called as the graph calls them: through LangGraph's ToolNode, by a message with a tool call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.store.base import BaseStore

from nodes.tools.failures import tell_failure


async def call(
    tools: Sequence[BaseTool], name: str, store: BaseStore | None = None, /, **arguments: object
) -> ToolMessage:
    """What the model is told of one call."""
    graph: Any = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode(tools, handle_tool_errors=tell_failure))
    graph.add_edge(START, "tools")
    request = AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": "1", "type": "tool_call"}])
    final = await graph.compile(store=store).ainvoke({"messages": [request]})
    told: AnyMessage = final["messages"][-1]
    assert isinstance(told, ToolMessage)
    return told
