"""The executor: one answer of a model, with tools where the task needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage, trim_messages
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from nodes.costs import add_metrics, metrics_of
from nodes.prompting import earlier_turns, opening, request_messages
from state.context import Context
from state.models import CallMetrics, Sampling
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Attempt, Plan, ToolUse


async def execute(
    state: RunState, runtime: Runtime[Context], *, models: ChatModels, tools: Sequence[BaseTool]
) -> dict[str, object]:
    """Answer once, or ask for tools and be called again with their answers.

    Reads `task`, `analysis`, `plan`, `scratch` and, on a retry, the last of `attempts` and `verdicts`. Appends the
    model's message to `scratch` and, when it calls no tool, the finished attempt to `attempts`. Raises
    ContextOverflow, NoMemory, Unavailable.
    """
    assert state.task is not None and state.analysis is not None and state.plan is not None, "monitor runs first"
    context, plan = runtime.context or Context(), state.plan
    loaded = models.is_loaded(plan.model, plan.strategy)
    runtime.stream_writer(
        {"event": "model", "model": plan.model, "strategy": plan.strategy, "loaded": loaded, "attempt": plan.attempt}
    )
    card = models.card(plan.model)
    wanted = "tools" in state.analysis.needs and "tools" in card.capabilities
    offered = tools if wanted and tool_rounds(state.scratch) < context.max_tool_rounds else ()
    request = request_messages(state.task, state.analysis, state.attempts, state.verdicts, state.decision)
    counter = models.chat(plan.model, strategy=plan.strategy)
    # Counting tokens may read the tokenizer's files, which must not hold up the event loop.
    messages, room = await asyncio.to_thread(
        fit_window,
        [opening(state.analysis)],
        earlier_turns(state.task),
        [*request, *state.scratch],
        counter=counter,
        window=card.context_length,
        answer_tokens=plan.sampling.max_tokens or card.max_output_tokens,
        tools=offered,
    )
    sampling = plan.sampling if context.max_tokens else clip_tokens(plan.sampling, room)
    chat = models.chat(plan.model, strategy=plan.strategy, sampling=sampling)
    reply = await (chat.bind_tools(offered) if offered else chat).ainvoke(messages)
    if reply.tool_calls and offered:
        return {"scratch": [reply]}
    return {"scratch": [reply], "attempts": [finish_attempt(plan, [*state.scratch, reply])]}


def fit_window(
    head: list[AnyMessage],
    history: list[AnyMessage],
    tail: list[AnyMessage],
    *,
    counter: BaseChatModel,
    window: int,
    answer_tokens: int,
    tools: Sequence[BaseTool] = (),
) -> tuple[list[AnyMessage], int]:
    """The messages to send, and the tokens left for the answer.

    Of `history` the oldest turns go first until the answer has its room; `head` and `tail` are never cut, so a request
    that is too long by itself is refused by the model with its numbers.
    """

    def count(messages: Sequence[AnyMessage]) -> int:
        return counter.get_num_tokens_from_messages(list(messages), tools=list(tools) or None)

    fixed = count([*head, *tail])
    kept: list[AnyMessage] = []
    if history and fixed + answer_tokens < window:
        kept = trim_messages(  # type: ignore[assignment]  # typed as BaseMessage; it returns what it was given
            history,
            max_tokens=window - answer_tokens - fixed,
            token_counter=lambda part: count([*head, *part, *tail]) - fixed,
            strategy="last",
            start_on="human",
        )
    messages = [*head, *kept, *tail]
    return messages, window - (count(messages) if kept else fixed)


def clip_tokens(sampling: Sampling, room: int) -> Sampling:
    """The same settings with `max_tokens` lowered to what the window leaves; without a limit they stay as they are."""
    if sampling.max_tokens is None or sampling.max_tokens <= room or room <= 0:
        return sampling
    return sampling.model_copy(update={"max_tokens": room})


def tool_rounds(scratch: Sequence[AnyMessage]) -> int:
    """How often the model has asked for tools in this attempt."""
    return sum(isinstance(message, AIMessage) and bool(message.tool_calls) for message in scratch)


def finish_attempt(plan: Plan, scratch: Sequence[AnyMessage]) -> Attempt:
    """The attempt that `scratch` tells: its last message is the answer, those before it are tool calls and results."""
    outputs = {message.tool_call_id: message for message in scratch if isinstance(message, ToolMessage)}
    replies = [message for message in scratch if isinstance(message, AIMessage)]
    uses = tuple(
        ToolUse(
            name=call["name"],
            arguments=call["args"],
            output=outputs[call["id"]].text if call["id"] in outputs else "",
            failed=call["id"] not in outputs or outputs[call["id"]].status == "error",
        )
        for reply in replies[:-1]
        for call in reply.tool_calls
    )
    metrics: CallMetrics | None = None
    for reply in replies:
        metrics = add_metrics(metrics, metrics_of(reply, model=plan.model, strategy=plan.strategy))
    assert metrics is not None, "an attempt holds at least its answer"
    return Attempt(
        number=plan.attempt,
        model=plan.model,
        strategy=plan.strategy,
        answer=replies[-1].text.strip(),
        finish_reason=str(replies[-1].response_metadata.get("finish_reason", "stop")),
        tools=uses,
        metrics=metrics,
        message_id=replies[-1].id,
    )
