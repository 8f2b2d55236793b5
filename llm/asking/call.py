"""One call's settings: a model's own, overridden by what the call says, checked against the model's window. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from llm.asking.choice import JsonAnswer, Tools, read_response_format, read_tools
from llm.engine.base import Constraint, Request
from state.errors import BadRequest, ContextOverflow
from state.models import ModelCard, Sampling

SAMPLING_FIELDS = frozenset(Sampling.model_fields)
OTHER_FIELDS = frozenset(["tools", "tool_choice", "parallel_tool_calls", "response_format", "include_prompt", "caller"])
IGNORED = frozenset({"stream", "strict", "ls_structured_output_format"})
"""Keyword arguments of LangChain's own that reach a model; `strict` has gone into the tools by then."""


@dataclass(frozen=True)
class Call:
    """What one call asks for. `caller`: who asks, for turns; `include_prompt`: show the prompt with the answer."""

    sampling: Sampling
    stop: tuple[str, ...] = ()
    tools: Tools = field(default_factory=Tools)
    answer: JsonAnswer | None = None
    caller: str = ""
    include_prompt: bool = False


def settle_call(
    defaults: Mapping[str, Any], card: ModelCard, stop: Sequence[str] | None, given: Mapping[str, Any]
) -> Call:
    """The call's settings. `defaults`: the chat model's; `stop` and `given`: the call's own.

    Raises BadRequest for unknown names, values out of range, and tools for a model without them.
    """
    given = {name: value for name, value in given.items() if name not in IGNORED}
    unknown = given.keys() - SAMPLING_FIELDS - OTHER_FIELDS
    if unknown:
        accepted = ", ".join(sorted(SAMPLING_FIELDS | OTHER_FIELDS | {"stop"}))
        raise BadRequest(f"unknown setting {', '.join(sorted(unknown))}; accepted are {accepted}")
    # None unsets what may be unset, and says nothing elsewhere.
    asked = {**defaults, **{k: value for k, value in given.items() if value is not None or k in ("max_tokens", "seed")}}
    try:
        sampling = Sampling(**{name: asked[name] for name in SAMPLING_FIELDS & asked.keys()})
    except ValidationError as error:
        raise BadRequest("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
    tools = read_tools(asked.get("tools"), asked.get("tool_choice"), parallel=asked.get("parallel_tool_calls", True))
    if tools.offered and "tools" not in card.capabilities:
        raise BadRequest(f"model {card.name} cannot call tools; choose one whose card lists the capability 'tools'")
    return Call(
        sampling,
        tuple(dict.fromkeys(text for text in (*(stop or ()), *card.stop) if text)),
        tools,
        read_response_format(asked.get("response_format")),
        str(asked.get("caller") or ""),
        bool(asked.get("include_prompt")),
    )


def make_request(prompt: Sequence[int], call: Call, card: ModelCard, constraint: Constraint | None = None) -> Request:
    """The request for an engine. Raises ContextOverflow, with the numbers, when it does not fit the model's window."""
    window, used, asked = card.context_length, len(prompt), call.sampling.max_tokens
    room = window - used
    if room < 1:
        raise ContextOverflow(
            f"prompt has {used:,} tokens, the window of {card.name} is {window:,}; "
            "shorten the prompt or choose a model with a longer window"
        )
    if asked is not None and asked > room:
        raise ContextOverflow(
            f"prompt has {used:,} tokens and max_tokens asks for {asked:,} more, the window of {card.name} is "
            f"{window:,}; ask for at most {room:,}, shorten the prompt or choose a model with a longer window"
        )
    length = asked if asked is not None else min(card.max_output_tokens, room)
    return Request(tuple(prompt), call.sampling, length, call.stop, constraint, call.caller)
