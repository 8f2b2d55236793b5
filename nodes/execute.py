"""The executor: one answer of a model, with the tools that the request calls for; a split request part by part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from nodes.calling.attempts import ends, finish_attempt
from nodes.calling.calls import Call, next_call, spelled_out
from nodes.calling.window import sendable
from nodes.humans.load import needs_approval, sized_now
from nodes.humans.tool_calls import refuse_unoffered
from state.context import Context
from state.errors import BadRequest
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Plan


async def execute(
    state: RunState, runtime: Runtime[Context], *, models: ChatModels, tools: Sequence[BaseTool]
) -> dict[str, object]:
    """Answer once, or ask for tools and be called again with their answers.

    Reads `task`, `analysis`, `plan`, `scratch` and, on a retry, `attempts`, `verdicts` and `decision`. Appends the
    model's messages to `scratch` and, when it calls no tool, the finished attempt to `attempts`. Writes nothing but
    `plan`, with the bytes of its load, where its model has left the memory and a human is to be asked first. Raises
    BadRequest for unknown names of tools, ContextOverflow, NoMemory, Unavailable.
    """
    assert state.task is not None and state.plan is not None, "monitor_resources runs first"
    context, plan = runtime.context or Context(), state.plan
    if (spelled := spelled_out(state, context, models.card(plan.model), tools)) is not None:
        return {"scratch": [spelled]}
    if context.approve_load_over is not None:
        now = await asyncio.to_thread(sized_now, plan, models)
        if needs_approval(now, state.loads, context.approve_load_over):
            return {"plan": now}
    loaded = models.is_loaded(plan.model, plan.strategy)
    runtime.stream_writer(
        {"event": "model", "model": plan.model, "strategy": plan.strategy, "loaded": loaded, "attempt": plan.attempt}
    )
    said: list[AnyMessage] = []
    for _ in range(len(ends(state.scratch)), max(1, len(plan.parts))):
        # Counting tokens may read the tokenizer's files, which must not hold up the event loop.
        call = await asyncio.to_thread(next_call, state, context, models, tools, [*state.scratch, *said])
        # Halves of surrogate pairs, as in a tool call's JSON, would end the stream that tells of the reply.
        reply = sendable(await ask(models, plan, call))
        assert isinstance(reply, AIMessage)
        said.append(reply)
        if reply.tool_calls and call.tools:
            return {"scratch": [*said, *refuse_unoffered(reply, call.tools)]}
    return {"scratch": said, "attempts": [finish_attempt(plan, [*state.scratch, *said], state.task.prompt)]}


async def ask(models: ChatModels, plan: Plan, call: Call) -> AIMessage:
    """Make a call; without its form where the model cannot be held to one."""
    chat = models.chat(plan.model, strategy=plan.strategy, sampling=call.sampling)
    plain = chat.bind_tools(call.tools) if call.tools else chat
    if call.form is None:
        return await plain.ainvoke(call.messages)
    try:
        return await plain.bind(response_format=call.form).ainvoke(call.messages)
    except BadRequest:
        return await plain.ainvoke(call.messages)
