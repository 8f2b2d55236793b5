"""What a client asked of a run, as LangGraph takes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, cast, get_type_hints
from uuid import uuid5

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Send
from pydantic import BaseModel

from graphs.catalog import DEFINED
from server.run_queue.configuration import CONTEXT_GIVEN, safe_checkpoint, safe_config, safe_context
from server.run_queue.shapes import Run

API_VERSION = "0.16.7"
"""Of the Agent Server whose behaviour ours has: clients switch on by it what they may ask for."""
_LANGGRAPH_VERSION = version("langgraph")


def graph_input(kwargs: Mapping[str, Any]) -> Any:
    """The input as the client sent it, or its command; None goes on where the thread stands."""
    command = kwargs.get("command")
    return graph_command(command) if command else kwargs.get("input")


def graph_command(command: Mapping[str, Any]) -> Command[Any]:
    """`resume` (one answer, or several by interrupt id), `update` and `goto`.

    `goto` is a node's name, `{"node", "input"}` for a task of its own, or a list of both.
    """
    said: dict[str, Any] = {}
    if (update := command.get("update")) is not None:
        said["update"] = _pairs(update)
    if "resume" in command:
        said["resume"] = command["resume"]
    if goto := command.get("goto"):
        said["goto"] = [_destination(one) for one in (goto if isinstance(goto, list) else [goto])]
    return Command(**said)


def graph_config(
    run: Run, kwargs: Mapping[str, Any], *, attempt: int, api_version: str, api_url: str | None = None
) -> RunnableConfig:
    """What the nodes see: the client's own configuration, and over it what only the server says.

    The graph that `graph_context` mirrors into `configurable` is not known here: see `mirrored`.
    """
    config = safe_config(kwargs.get("config"))
    config["configurable"] = {
        **_own_settings(kwargs),
        "langgraph_auth_user": None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
        "langgraph_request_id": str(uuid5(run.run_id, "request")),
        "__request_start_time_ms__": int(run.created_at.timestamp() * 1000),
        "__after_seconds__": 0,
        "run_id": str(run.run_id),
        "thread_id": str(run.thread_id),
        "graph_id": run.graph_id,
        "assistant_id": str(run.assistant_id),
        "user_id": "",
        **safe_checkpoint(kwargs.get("checkpoint")),
    }
    config["metadata"] = {
        "graph_id": run.graph_id,
        "assistant_id": str(run.assistant_id),
        **config.get("metadata", {}),
        **{key: value for key, value in run.metadata.items() if key not in ("graph_id", "assistant_id")},
        "run_attempt": attempt,
        "langgraph_version": _LANGGRAPH_VERSION,
        "langgraph_api_version": api_version,
        "langgraph_plan": "self-hosted",
        "langgraph_host": "self-hosted",
        "langgraph_api_url": api_url,
    }
    config.setdefault("run_name", run.graph_id)
    config["run_id"] = run.run_id
    return cast("RunnableConfig", config)


def graph_context(kwargs: Mapping[str, Any], schema: type | None) -> dict[str, Any] | None:
    """The context of a run: what the client gave as `context`, or else as `configurable`, as far as `schema` has it.

    None where nothing is left, so that the schema's own defaults hold.
    """
    given = safe_context(kwargs.get("context"))
    if not given:
        given = safe_config(kwargs.get("config")).get("configurable", {})
    names = _names_of(schema)
    return {key: value for key, value in given.items() if names is None or key in names} or None


def mirrored(config: RunnableConfig, context: Mapping[str, Any] | None) -> RunnableConfig:
    """`config` with a context's values in `configurable`, too, where nodes written for older versions look."""
    if not context:
        return config
    return {**config, "configurable": {**context, **config["configurable"]}}


def _own_settings(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The client's `configurable`; where it only repeats the context, whose schema is not known here, no more of it
    than what the graph is made of: the crew or the flow that the assistant is."""
    given = kwargs.get("config") or {}
    settings: Mapping[str, Any] = safe_config(given).get("configurable", {})
    if CONTEXT_GIVEN in (given.get("configurable") or {}):
        return {name: settings[name] for name in DEFINED if name in settings}
    return settings


def _names_of(schema: type | None) -> frozenset[str] | None:
    """Names that a context may have. None: any."""
    if schema is None:
        return None
    if issubclass(schema, BaseModel):
        return frozenset(schema.model_fields)
    if dataclasses.is_dataclass(schema):
        return frozenset(field.name for field in dataclasses.fields(schema))
    return frozenset(get_type_hints(schema)) or None


def _pairs(update: Any) -> Any:
    """An update as a list of (channel, value) pairs comes as lists from JSON; LangGraph wants tuples."""
    if isinstance(update, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in update):
        return [(key, value) for key, value in cast("Sequence[Sequence[Any]]", update)]
    return update


def _destination(goto: Any) -> Any:
    if isinstance(goto, Mapping):
        return Send(goto["node"], goto.get("input"))
    return goto
