"""What of a client's configuration a run believes. Thread, run, user and checkpoint come from the server alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from state.errors import BadRequest

MAX_RECURSION_LIMIT = 100_000
"""Steps. LangGraph's own default is 10,000; a loop beyond this is stopped as any other that does not end."""

CONTEXT_GIVEN = "__context_provided__"
"""In a run's `configurable`: it repeats the client's `context`. A client who sets it itself only loses its settings."""

_SERVERS_OWN = frozenset({"thread_id", "run_id", "assistant_id", "graph_id", "user_id", "langgraph_request_id"})
_SERVERS_OWN_PREFIXES = ("__", "checkpoint_", "langgraph_auth_")


def safe_config(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The same `config` without what a client may not say; nothing of it is shared with the argument's top level.

    Left: `configurable` and `metadata` without the server's own keys, `tags`, `recursion_limit` within bounds,
    `run_name` and `max_concurrency`. Other keys go, since LangGraph would read them as `configurable`.
    Raises BadRequest: a value of the wrong type, callbacks.
    """
    given = {key: value for key, value in (config or {}).items() if value is not None}
    if given.get("callbacks"):
        raise BadRequest("config.callbacks cannot come from a client; take it out")
    safe: dict[str, Any] = {}
    for name in ("configurable", "metadata"):
        if name in given:
            safe[name] = without_servers_own(_typed(given, name, dict, "an object"))
    if "tags" in given:
        safe["tags"] = _tags(given)
    if "recursion_limit" in given:
        safe["recursion_limit"] = min(_whole(given, "recursion_limit"), MAX_RECURSION_LIMIT)
    if "max_concurrency" in given:
        safe["max_concurrency"] = max(_whole(given, "max_concurrency"), 1)
    if "run_name" in given:
        safe["run_name"] = _typed(given, "run_name", str, "a text")
    return safe


def without_servers_own(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is left when the keys that only the server may set are taken out."""
    return {key: value for key, value in values.items() if not is_servers_own(key)}


def is_servers_own(key: str) -> bool:
    """Whether a key of `configurable` decides on thread, user, checkpoint or LangGraph's insides."""
    return key in _SERVERS_OWN or key.startswith(_SERVERS_OWN_PREFIXES)


def safe_context(context: Mapping[str, Any] | None) -> dict[str, Any]:
    """A client's `context` without keys of LangGraph's insides or of authentication.

    It belongs to the graph, so that names such as user_id stay: the server reads nothing from it.
    """
    return {key: value for key, value in (context or {}).items() if not key.startswith(("__", "langgraph_auth_"))}


def safe_checkpoint(checkpoint: Mapping[str, Any] | None) -> dict[str, Any]:
    """Which checkpoint of its own thread a client means: `checkpoint_id`, `checkpoint_ns`, `checkpoint_map`."""
    return {
        key: value
        for key, value in (checkpoint or {}).items()
        if key in ("checkpoint_id", "checkpoint_ns", "checkpoint_map") and value is not None
    }


def _typed(given: Mapping[str, Any], name: str, kind: type, said: str) -> Any:
    if not isinstance(given[name], kind):
        raise BadRequest(f"config.{name} must be {said}")
    return given[name]


def _whole(given: Mapping[str, Any], name: str) -> int:
    value = given[name]
    if isinstance(value, float) and value.is_integer():  # JSON Schema takes 5.0 for an integer, too
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadRequest(f"config.{name} must be a whole number")
    return value


def _tags(given: Mapping[str, Any]) -> list[str]:
    tags: list[Any] = _typed(given, "tags", list, "a list of texts")
    if not all(isinstance(tag, str) for tag in tags):
        raise BadRequest("config.tags must be a list of texts")
    return list(tags)
