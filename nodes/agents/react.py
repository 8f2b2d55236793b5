"""A model and its tools in a loop (ReAct), by LangChain's agent, which calls tools until the model answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from langgraph.errors import GraphRecursionError
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from nodes.calling.window import sendable
from nodes.tools.failures import tell_failure
from state.errors import AgentFailed


async def react(
    chat: BaseChatModel, messages: Sequence[AnyMessage], tools: Sequence[BaseTool], turns: int
) -> list[AnyMessage]:
    """What the model and its tools said after `messages`, the answer last; tools are called `turns` times at most.

    In a node it is a subgraph of the run. Raises AgentFailed when no answer comes, and what models and tools raise;
    interrupts pass.
    """
    system = messages[0] if isinstance(messages[0], SystemMessage) else None
    asked = list(messages[1:] if system is not None else messages)
    # It compiles a graph: 14 ms (measured) in which nobody else on this event loop would get on.
    loop: Any = await asyncio.to_thread(
        partial(create_agent, chat, list(tools), system_prompt=system, middleware=[Turns(turns)])
    )
    # A turn is a step of the model and one of the tools; the bound is for a model that calls tools that it is not
    # offered any more.
    bounded = RunnableConfig(recursion_limit=2 * turns + 4)
    try:
        final = await loop.ainvoke({"messages": asked}, bounded)
    except GraphRecursionError as error:
        raise AgentFailed(f"it asked for tools more than {turns} times and gave no answer") from error
    return after_request(final["messages"])


class Turns(AgentMiddleware[Any, Any, Any]):
    """After `most` rounds the model is offered no more tools and has to answer; a tool's failure is told to it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        if rounds(request.messages) >= self._most:
            request = request.override(tools=[])
        response = await handler(request)
        # Halves of surrogate pairs, as in a tool call's JSON, would end the stream that tells of the reply.
        response.result = [sendable(message) for message in response.result]  # type: ignore[arg-type]  # as it was
        return response

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        try:
            return await handler(request)
        except (ToolException, ValueError) as error:
            call = request.tool_call
            return ToolMessage(tell_failure(error), tool_call_id=call["id"] or "", name=call["name"], status="error")


def after_request(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """What was said after the last human message. Not counted from the front: of a loop that goes on from an earlier
    attempt's checkpoint the remembered exchanges are that attempt's."""
    asked = max((place for place, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return list(messages[asked + 1 :])


def rounds(messages: Sequence[AnyMessage]) -> int:
    """How often the model has asked for tools."""
    return sum(isinstance(message, AIMessage) and bool(message.tool_calls) for message in messages)
