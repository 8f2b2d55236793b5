"""One remote call's settings, checked, and in its provider's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableBinding
from pydantic import ValidationError

from llm.providers.base import Backend
from llm.providers.settings import split_settings
from state.errors import BadRequest
from state.models import ModelCard, Sampling

SAMPLING = frozenset(Sampling.model_fields)
TOOL_SETTINGS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "strict"})
IGNORED = frozenset({"stream", "ls_structured_output_format", "caller"})
"""Keyword arguments of LangChain's and of local models that mean nothing to a provider."""


@dataclass(frozen=True)
class RemoteCall:
    """`given`: keyword arguments for the provider's class. `ignored`: settings that the model does not take."""

    stop: list[str] | None = None
    given: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def settle_remote_call(
    defaults: Mapping[str, Any],
    card: ModelCard,
    backend: Backend,
    stop: Sequence[str] | None,
    given: Mapping[str, Any],
) -> RemoteCall:
    """The call's settings. `defaults`: the chat model's; `stop` and `given`: the call's own.

    Raises BadRequest for unknown names, values out of range, and tools for a model that cannot call them.
    """
    given = {name: value for name, value in given.items() if name not in IGNORED}
    further = {name: value for name, value in given.items() if name not in SAMPLING | TOOL_SETTINGS}
    if backend.passes is not None and further.keys() - backend.passes:
        accepted = ", ".join(sorted(SAMPLING | TOOL_SETTINGS | backend.passes | {"stop"}))
        raise BadRequest(
            f"unknown setting {', '.join(sorted(further.keys() - backend.passes))} for {card.name} ({card.provider}); "
            f"accepted are {accepted}"
        )
    try:
        sampling = Sampling(**{**defaults, **{name: given[name] for name in SAMPLING & given.keys()}})
    except ValidationError as error:
        raise BadRequest("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error
    sent, ignored = split_settings(sampling, card)
    body = {name: sent.pop(name) for name in backend.in_body & sent.keys()}
    tools = _tools(card, backend, {name: given[name] for name in TOOL_SETTINGS & given.keys()})
    stops = list(dict.fromkeys(text for text in (*(stop or ()), *card.stop) if text))
    extra = {"extra_body": body} if body else {}
    return RemoteCall(stops or None, {**further, **sent, **tools, **extra}, ignored)


def _tools(card: ModelCard, backend: Backend, given: dict[str, Any]) -> dict[str, Any]:
    tools = given.pop("tools", None)
    if not tools or given.get("tool_choice") == "none":
        return {}
    if "tools" not in card.capabilities:
        raise BadRequest(f"model {card.name} cannot call tools; choose one whose card lists the capability 'tools'")
    try:
        bound = backend.model.bind_tools(tools, **{name: value for name, value in given.items() if value is not None})
    except NotImplementedError as error:
        raise BadRequest(f"model {card.name}: {type(backend.model).__name__} cannot call tools") from error
    return dict(bound.kwargs) if isinstance(bound, RunnableBinding) else {}
