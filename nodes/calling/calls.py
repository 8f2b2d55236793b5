"""The next call of an attempt: which request, with which tools, in which words, in how much room. Blocks to count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool

from nodes.analyze import analyze
from nodes.calling.attempts import ends, tool_rounds
from nodes.calling.forms import json_form, stricter_lines
from nodes.calling.prompting import earlier_turns, feedback, request_messages, system_prompt
from nodes.calling.window import Window, choose_way, clip_tokens, fit_notes, fit_window, sendable, sendable_text
from nodes.humans.tool_calls import was_rejected
from nodes.tools.choose import choose_tools
from nodes.tools.spelled import spelled_call
from state.context import Context
from state.models import ModelCard, Sampling
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Analysis, Plan, Reason, Task

TOOLS_FOR = {
    "wrong_arithmetic": ("calculator", "convert"),
    "wrong_result": ("text_operation", "text_statistics", "calculator"),
}
"""Which tools `add_tools` brings for a reason, where they are there; for others, all tools."""

SURE_OF_PART = 0.5
"""Confidence from which a part of a request is of its own kind, and not of the whole's."""


@dataclass(frozen=True)
class Call:
    """One call of a model, ready to be made. `form`: a JSON form that the answer is held to."""

    messages: list[AnyMessage]
    sampling: Sampling
    tools: tuple[BaseTool, ...] = ()
    form: dict[str, Any] | None = None


@dataclass(frozen=True)
class Request:
    """What is answered next: the whole request, or the part of it whose turn has come.

    `ways`: how to put it, the best first; `earlier`: turns before it; `current`: its tool calls and their answers.
    """

    analysis: Analysis
    prompt: str
    ways: list[list[AnyMessage]]
    earlier: list[AnyMessage]
    current: list[AnyMessage]


def next_call(
    state: RunState, context: Context, models: ChatModels, tools: Sequence[BaseTool], scratch: Sequence[AnyMessage]
) -> Call:
    """The next call of an attempt that has come as far as `scratch` tells. Raises BadRequest for unknown tools."""
    assert state.task is not None and state.plan is not None, "monitor_resources runs first"
    plan, card = state.plan, models.card(state.plan.model)
    request = next_request(state, scratch)
    reasons = [reason for verdict in state.verdicts for reason in verdict.reasons]
    strict = "stricter_format" in plan.remedies
    offered = offer(tools, request, plan, reasons, context.tools)
    rounds_left = context.max_tool_rounds - tool_rounds(request.current)
    if "tools" not in card.capabilities or rounds_left <= 0 or was_rejected(request.current):
        offered = ()
    lines = stricter_lines(reasons, request.analysis.language) if strict else ()

    def opening(notes: str = "") -> SystemMessage:
        names = [tool.name for tool in offered]
        words = system_prompt(request.analysis, offered=names, stricter=lines, notes=notes)
        return SystemMessage(content=sendable_text(words))

    window = Window(models.chat(plan.model, strategy=plan.strategy), card.context_length, offered)
    messages, left = compose(request, opening, state.task, window, answer_room(plan.sampling, card, context), context)
    return Call(
        messages,
        plan.sampling if context.max_tokens else clip_tokens(plan.sampling, left),
        offered,
        json_form(card, request.prompt, reasons) if strict else None,
    )


def spelled_out(state: RunState, context: Context, card: ModelCard, tools: Sequence[BaseTool]) -> AIMessage | None:
    """The tool call that a request spells out whole, made in the model's stead when its own attempt came out wrong.

    A model that cannot reverse a word can seldom ask for a tool that does, but tells its result. Only with `add_tools`,
    at the start of an attempt, and where the model could have made the call itself. Raises BadRequest for unknown
    tools.
    """
    assert state.task is not None and state.analysis is not None and state.plan is not None, "monitor_resources ran"
    if "add_tools" not in state.plan.remedies or state.plan.parts or state.scratch:
        return None
    if "tools" not in card.capabilities or not context.max_tool_rounds:
        return None
    call = spelled_call(state.task.prompt)
    reasons = [reason for verdict in state.verdicts for reason in verdict.reasons]
    offered = offer(tools, next_request(state, ()), state.plan, reasons, context.tools)
    if call is None or call.name not in {tool.name for tool in offered}:
        return None
    name, arguments = call
    return AIMessage(
        content="",
        tool_calls=[{"name": name, "args": arguments, "id": f"spelled-{state.plan.attempt}", "type": "tool_call"}],
    )


def next_request(state: RunState, scratch: Sequence[AnyMessage]) -> Request:
    """The request whose turn it is; the parts answered already are turns before it, so that it may go on from them."""
    assert state.task is not None and state.analysis is not None and state.plan is not None, "monitor_resources ran"
    parts, done = state.plan.parts, ends(scratch)
    prompt = parts[len(done)] if parts else state.task.prompt
    answered = [
        message
        for part, place in zip(parts, done, strict=False)
        for message in (HumanMessage(content=part), AIMessage(content=scratch[place].text or "…"))
    ]
    return Request(
        analysis=of_part(prompt, state.analysis) if parts else state.analysis,
        prompt=prompt,
        ways=[[sendable(message) for message in way] for way in _ways(state, prompt)],
        earlier=[sendable(message) for message in (*earlier_turns(state.task), *answered)],
        current=[sendable(message) for message in (scratch[done[-1] + 1 :] if done else scratch)],
    )


def of_part(part: str, whole: Analysis) -> Analysis:
    """What a part of a request asks for: what the whole does where it says little itself; always in its language."""
    own = analyze(part)
    return own.model_copy(update={"language": whole.language}) if own.confidence >= SURE_OF_PART else whole


def _ways(state: RunState, prompt: str) -> list[list[AnyMessage]]:
    """The ways to put the request; what was wrong with the last answer is said where the plan says so."""
    assert state.analysis is not None and state.plan is not None, "monitor_resources runs first"
    if "say_the_reason" not in state.plan.remedies or not state.attempts:
        return request_messages(prompt, None, "")
    if state.plan.parts:  # the last answer was one to all parts; a human's hint holds for each
        hint = state.decision.hint if state.decision is not None else None
        return request_messages(f"{prompt}\n\n{hint}" if hint else prompt, None, "")
    told = feedback(state.verdicts[-1] if state.verdicts else None, state.decision, state.analysis.language)
    return request_messages(prompt, state.attempts[-1], told)


def offer(
    tools: Sequence[BaseTool], request: Request, plan: Plan, reasons: Sequence[Reason], named: Sequence[str] | None
) -> tuple[BaseTool, ...]:
    """The tools of an attempt: those that the request calls for and, with `add_tools`, those that the reasons do.

    Where neither names one, `add_tools` offers all. `named`: what the run allows. Raises BadRequest for unknown names.
    """
    task = Task(prompt=request.prompt)
    chosen = choose_tools(task, request.analysis, tools, named=named)
    if "add_tools" not in plan.remedies or named is not None:
        return chosen
    brought = {name for reason in reasons for name in TOOLS_FOR.get(reason.name, ())}
    more = tuple(tool for tool in tools if tool in chosen or tool.name in brought)
    return more or choose_tools(task, request.analysis, tools, named=None, all_of_them=True)


def answer_room(sampling: Sampling, card: ModelCard, context: Context) -> int:
    """Tokens kept free for the answer: what the run asked for; else half of the window at most.

    What a remedy adds may be less where earlier turns need the room; what the caller set may not.
    """
    wanted = sampling.max_tokens or card.max_output_tokens
    return wanted if context.max_tokens else min(wanted, card.context_length // 2)


def compose(
    request: Request,
    opening: Callable[[str], SystemMessage],
    task: Task,
    window: Window,
    answer_tokens: int,
    context: Context,
) -> tuple[list[AnyMessage], int]:
    """The messages to send and the tokens left for the answer: earlier turns first, then notes of related runs."""
    head = opening("")
    room = window.size - min(answer_tokens, window.size // 4)
    way = request.ways[choose_way(request.ways, around=[head, *request.current], window=window, room=room)]
    tail = [*way, *request.current]
    messages, used, left = fit_window(
        [head], request.earlier, tail, window=window, answer_tokens=answer_tokens, most=context.history_tokens
    )
    spare = left - answer_tokens
    if context.history_tokens is not None:
        spare = min(spare, context.history_tokens - used)
    notes, taken = fit_notes(task.related, window=window, room=spare)
    return [opening(notes), *messages[1:]] if notes else messages, left - taken
