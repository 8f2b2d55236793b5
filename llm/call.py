"""One call's settings: a model's own, overridden by what the call says, checked against the model's window. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from llm.engine.base import Request
from state.errors import BadRequest, ContextOverflow
from state.models import ModelCard, Sampling

SAMPLING_FIELDS = frozenset(Sampling.model_fields)
IGNORED = frozenset({"stream", "ls_structured_output_format"})
"""Keyword arguments of LangChain's own that reach a model."""


@dataclass(frozen=True)
class Call:
    """What one call asks for; `tools` in OpenAI's schema, empty when there are none or they are switched off."""

    sampling: Sampling
    stop: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()


def settle_call(
    defaults: Mapping[str, Any], card: ModelCard, stop: Sequence[str] | None, given: Mapping[str, Any]
) -> Call:
    """The call's settings. `defaults`: the chat model's; `stop` and `given`: the call's own.

    Raises BadRequest for unknown names, values out of range, and a tool choice that is not supported.
    """
    given = {name: value for name, value in given.items() if name not in IGNORED}
    unknown = given.keys() - SAMPLING_FIELDS - {"tools", "tool_choice"}
    if unknown:
        accepted = ", ".join(sorted(SAMPLING_FIELDS | {"stop", "tools", "tool_choice"}))
        raise BadRequest(f"unknown setting {', '.join(sorted(unknown))}; accepted are {accepted}")
    try:
        sampling = Sampling(**{**defaults, **{name: given[name] for name in SAMPLING_FIELDS & given.keys()}})
    except ValidationError as error:
        raise BadRequest("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
    stops = [text for text in (*(stop or ()), *card.stop) if text]
    return Call(sampling, tuple(dict.fromkeys(stops)), _tools(given.get("tools"), given.get("tool_choice"), card))


def _tools(tools: Sequence[dict[str, Any]] | None, choice: object, card: ModelCard) -> tuple[dict[str, Any], ...]:
    if choice not in (None, "auto", "none"):
        raise BadRequest(f"tool_choice {choice!r} is not supported by local models yet; use 'auto' or 'none'")
    if not tools or choice == "none":
        return ()
    if "tools" not in card.capabilities:
        raise BadRequest(f"model {card.name} cannot call tools; choose one whose card lists the capability 'tools'")
    return tuple(tools)


def make_request(prompt: Sequence[int], call: Call, card: ModelCard) -> Request:
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
    return Request(tuple(prompt), call.sampling, length, call.stop)
