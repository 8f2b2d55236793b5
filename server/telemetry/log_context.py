"""Which ids a log line carries: those that were bound, and those of the run whose node is at work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config
from structlog.contextvars import get_contextvars

MAX_CHARS = 200
"""Of an id: what a run's configuration says comes from its client."""


def current_ids() -> dict[str, Any]:
    """`execution_id`, `run_id`, `thread_id`, `graph`, `node`, `agent_id`, `worker`: those that are known here.

    What is bound by structlog's contextvars comes first; a node's name, and a run that nobody has bound, are read from
    the configuration with which LangGraph calls a node. Both reach `asyncio.to_thread`. Some 3 µs.
    """
    ids = get_contextvars()
    config = var_child_runnable_config.get()
    return ids if config is None else ids_of(config) | ids


def ids_of(config: Mapping[str, Any]) -> dict[str, str]:
    """What the configuration of a node says of its run."""
    metadata = config.get("metadata") or {}
    configurable = config.get("configurable") or {}
    told = {
        "run_id": metadata.get("run_id"),
        "thread_id": configurable.get("thread_id"),
        "graph": metadata.get("graph_id"),
        "node": metadata.get("langgraph_node"),
    }
    return {name: str(value)[:MAX_CHARS] for name, value in told.items() if value is not None}
