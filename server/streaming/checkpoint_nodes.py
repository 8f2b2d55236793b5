"""What the nodes of a run did, out of its checkpoints: for runs whose log does not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from server.streaming.lab_nodes import NodeVisit

_OWN = frozenset({"__start__", "__input__"})
"""LangGraph's own steps."""


def steps_of(states: Sequence[Mapping[str, Any]]) -> list[NodeVisit]:
    """The visits, in order; nodes of one step share its time, which is that between two checkpoints.

    `states`: of an execution's runs, as threads tell them, the oldest first. What the last one has yet to do is still
    running, or failed, or asks something. A step that was gone on with by a later run has no time: it waited.
    """
    visits: list[NodeVisit] = []
    for state, after in zip(states, [*states[1:], None], strict=False):
        visits += [_visit(task, state, after) for task in _tasks(state) if task["name"] not in _OWN]
    return visits


def _visit(task: Mapping[str, Any], state: Mapping[str, Any], after: Mapping[str, Any] | None) -> NodeVisit:
    key, name = str(task.get("id")), str(task["name"])
    if after is not None:
        seconds = _between(state, after) if _run(state) == _run(after) else None
        return NodeVisit(key, name, "completed", seconds)
    if task.get("error"):
        return NodeVisit(key, name, "failed", None, str(task["error"]))
    return NodeVisit(key, name, "interrupted" if task.get("interrupts") else "running")


def _tasks(state: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return state.get("tasks") or ()


def _run(state: Mapping[str, Any]) -> Any:
    return (state.get("metadata") or {}).get("run_id")


def _between(state: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    begun, ended = state.get("created_at"), after.get("created_at")
    if not isinstance(begun, str) or not isinstance(ended, str):
        return None
    return round((datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds(), 4)
