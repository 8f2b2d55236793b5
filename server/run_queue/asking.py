"""What a client's body asks for, as a run that can be admitted. Decided from values alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from server.run_queue.configuration import CONTEXT_GIVEN, safe_config, without_servers_own
from server.run_queue.shapes import NewRun
from state.errors import BadRequest, Malformed

MAX_AFTER_SECONDS = 366 * 24 * 3600.0
"""Runs are delayed by a year at most."""
RESUMES_NOTHING = "You must provide a thread_id when resuming."


class Chosen(Protocol):
    """What of an assistant a run is made from."""

    @property
    def assistant_id(self) -> UUID: ...
    @property
    def graph_id(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def context(self) -> Mapping[str, Any]: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def new_run(
    body: Mapping[str, Any],
    assistant: Chosen,
    *,
    thread_id: UUID | None = None,
    request_id: str = "",
    now_ms: int = 0,
    heard: bool = False,
) -> NewRun:
    """`body` as its schema allows it; without `thread_id` the run gets a thread of its own.

    `now_ms` is the time of the request in milliseconds since 1970. `heard`: whoever makes the run
    listens to it. Raises BadRequest, Malformed.
    """
    config = dict(body.get("config") or {})
    configurable, context = _settings(config, body.get("context"), assistant)
    checkpoint = _checkpoint(body, configurable)
    if thread_id is None:
        checkpoint = {}  # a thread of its own has none yet
        if (body.get("command") or {}).get("resume"):
            raise Malformed(RESUMES_NOTHING)
    after_seconds = _delay(body.get("after_seconds"))
    given = config.get("metadata")
    if given is not None and not isinstance(given, Mapping):
        raise BadRequest("config.metadata must be an object")
    safe_config(config)  # refuses what no run may be started with, before anything is written
    temporary = thread_id is None and body.get("on_completion") != "keep"
    asked: dict[str, Any] = {
        "langgraph_auth_user": None,
        "langgraph_auth_user_id": "",
        "langgraph_auth_permissions": [],
        "langgraph_request_id": request_id,
        "__request_start_time_ms__": now_ms,
        "__after_seconds__": body.get("after_seconds") or 0,
    }
    durability = body.get("durability") or ("exit" if body.get("checkpoint_during") is False else "async")
    kwargs = {
        "input": body.get("input"),
        "command": body.get("command"),
        "config": {**assistant.config, **config, "configurable": {**configurable, **asked}},
        "context": context,
        "stream_mode": _modes(body.get("stream_mode")),
        "interrupt_before": _nodes(body, "interrupt_before"),
        "interrupt_after": _nodes(body, "interrupt_after"),
        "webhook": body.get("webhook"),
        "feedback_keys": body.get("feedback_keys"),
        "temporary": temporary,
        "subgraphs": bool(body.get("stream_subgraphs")),
        "resumable": bool(body.get("stream_resumable")),
        "checkpoint_during": body.get("checkpoint_during", True),
        "durability": durability,
        **({"checkpoint": checkpoint} if checkpoint else {}),
        **({"heard": True} if heard else {}),
    }
    named = {"assistant_id": str(assistant.assistant_id)}
    said = {**(given or {}), **(body.get("metadata") or {})}
    return NewRun(
        assistant_id=assistant.assistant_id,
        graph_id=assistant.graph_id,
        kwargs=kwargs,
        thread_id=thread_id,
        metadata={**assistant.metadata, **named, **said},
        thread_metadata=said,
        multitask_strategy=body.get("multitask_strategy") or "enqueue",
        create_thread=thread_id is not None and body.get("if_not_exists") == "create",
        temporary=temporary,
        resumable=kwargs["resumable"],
        after_seconds=after_seconds,
        assistant_config=assistant.config,
        run_config=config,
    )


def _settings(
    config: Mapping[str, Any], context: Mapping[str, Any] | None, assistant: Chosen
) -> tuple[dict[str, Any], dict[str, Any]]:
    """`configurable` and `context`, over the assistant's; a client gives one of them, which then stands for both."""
    configurable = config.get("configurable")
    if configurable and context:
        raise Malformed(
            "Cannot specify both configurable and context. Prefer setting context alone. Context was introduced in "
            "LangGraph 0.6.0 and is the long term planned replacement for configurable."
        )
    said = configurable or context or {}
    # What is not believed in `configurable`, a user, say, is not told as `context` either.
    told = without_servers_own(configurable) if configurable else said
    # The mark says that the client gave the context: nodes then see no more of it than its schema has.
    marked = {**said, CONTEXT_GIVEN: True} if context else said
    return {**assistant.config.get("configurable", {}), **marked}, {**assistant.context, **told}


def _checkpoint(body: Mapping[str, Any], configurable: Mapping[str, Any]) -> dict[str, Any]:
    """Which checkpoint of its own thread the run begins at, named in one of three places; empty for the last one."""
    named = dict(body.get("checkpoint") or {})
    named.pop("thread_id", None)
    if not named and isinstance(configurable.get("checkpoint_id"), str):
        kept = ("checkpoint_id", "checkpoint_ns", "checkpoint_map")
        named = {key: configurable[key] for key in kept if key in configurable}
    given = body.get("checkpoint_id")
    if given is not None:
        try:
            UUID(given)
        except (ValueError, TypeError, AttributeError):
            raise BadRequest("Invalid checkpoint ID") from None
        named["checkpoint_id"] = given
    return named


def _delay(seconds: object) -> float:
    if seconds is None:
        return 0.0
    if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds > MAX_AFTER_SECONDS:
        raise BadRequest(f"after_seconds must be a number of at most {MAX_AFTER_SECONDS:.0f}")
    return max(float(seconds), 0.0)


def _modes(modes: str | list[str] | None) -> list[str]:
    if isinstance(modes, str):
        return [modes]
    return list(dict.fromkeys(modes or ["values"]))


def _nodes(body: Mapping[str, Any], name: str) -> str | list[str] | None:
    """Checked here as well: the schema of stateless runs, like the reference's, does not name it."""
    nodes = body.get(name)
    if nodes is None or nodes == "*" or (isinstance(nodes, list) and all(isinstance(node, str) for node in nodes)):
        return nodes
    raise BadRequest(f'{name} must be "*" or a list of nodes')
