"""A human in the loop: before tools are called, the run stops and asks about each call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime
from pydantic import BaseModel, ValidationError

from nodes.humans.decisions import TOOLS, CallDecision, Question, question, read_calls
from nodes.humans.score import ask
from nodes.humans.tool_calls import REJECTED, answers_of, last_reply
from state.context import Context
from state.run import RunState

WORDS = {
    "en": "The user rejected this call{why}. It was not made; answer without it.",
    "es": "El usuario rechazó esta llamada{why}. No se hizo; responde sin ella.",
}


async def approve_tools(state: RunState, runtime: Runtime[Context], *, tools: Sequence[BaseTool]) -> dict[str, object]:
    """Reads `scratch`, `analysis`; writes to `scratch` the calls as edited, and what answers those that are not made.

    One interrupt for all calls of the model's last message but those that are answered already, as not offered.
    """
    assert state.analysis is not None, "analyze_task runs first"
    by_name = {tool.name: tool for tool in tools}
    reply = last_reply(state.scratch)
    answered = answers_of(state.scratch)
    places = [
        place for place, call in enumerate(reply.tool_calls) if call["name"] in by_name and call["id"] not in answered
    ]
    if not places:
        return {"scratch": []}

    def read(asked: Question, value: object) -> tuple[CallDecision, ...]:
        decisions = read_calls(asked, value)
        for decision in decisions:
            if decision.decision == "edit":
                check_arguments(by_name[decision.name], decision.args)
        return decisions

    named = (runtime.context or Context()).tools
    offered = [name for name in by_name if named is None or name in named]
    decisions = ask(calls_question([reply.tool_calls[place] for place in places], by_name, offered), read)
    return {"scratch": decided(reply, dict(zip(places, decisions, strict=True)), state.analysis.language)}


def calls_question(calls: Sequence[ToolCall], tools: dict[str, BaseTool], offered: Sequence[str]) -> Question:
    """What is asked about tool calls; `offered` are the tools that an edit may name."""
    return question(
        "tools",
        "The model wants to call tools. Approve each call, edit its arguments, answer in its place or reject it?",
        TOOLS,
        [(call["name"], call["args"], tools[call["name"]].description) for call in calls],
        tools=list(offered),
    )


def check_arguments(tool: BaseTool, args: dict[str, Any]) -> None:
    """Raises ValueError in one line when the tool would not take these arguments."""
    schema = tool.tool_call_schema
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return
    if unknown := args.keys() - schema.model_fields.keys():
        taken = ", ".join(schema.model_fields) or "nothing"
        raise ValueError(f"args: {tool.name} has no '{min(unknown)[:80]}'; it takes: {taken}")
    try:
        schema.model_validate(args)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise ValueError(f"args.{'.'.join(str(part) for part in wrong['loc'])}: {wrong['msg']}") from error


def decided(reply: AIMessage, decisions: Mapping[int, CallDecision], language: str) -> list[AnyMessage]:
    """The model's message with the edited calls in it, and a tool's message for each call that is not made.

    `decisions` are by the call's place in the message. The message keeps its id, so it takes its own place in the
    conversation: the model reads the call that was made.
    """
    messages: list[AnyMessage] = []
    if any(decision.decision == "edit" for decision in decisions.values()):
        calls = [_made(call, decisions.get(place)) for place, call in enumerate(reply.tool_calls)]
        # The provider's own form of the calls, where a reply has one, would contradict the edited ones.
        raw = {key: value for key, value in reply.additional_kwargs.items() if key != "tool_calls"}
        messages.append(reply.model_copy(update={"tool_calls": calls, "additional_kwargs": raw}))
    for place, decision in decisions.items():
        if decision.decision in ("reject", "respond"):
            messages.append(_answer_to(reply.tool_calls[place], decision, language))
    return messages


def _made(call: ToolCall, decision: CallDecision | None) -> ToolCall:
    return call if decision is None else {**call, "name": decision.name, "args": decision.args}


def _answer_to(call: ToolCall, decision: CallDecision, language: str) -> ToolMessage:
    if decision.decision == "respond":
        return ToolMessage(decision.message, name=call["name"], tool_call_id=call["id"])
    why = f": {decision.message.rstrip('.')}" if decision.message else ""
    return ToolMessage(
        WORDS.get(language, WORDS["en"]).format(why=why),
        name=call["name"],
        tool_call_id=call["id"],
        status="error",
        additional_kwargs={REJECTED: True},
    )
