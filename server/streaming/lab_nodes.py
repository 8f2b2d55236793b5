"""What the nodes of a run did, out of the stream of its log: each visit with its time, its outcome and its error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from server.streaming.frames import Frame

NodeStatus = Literal["running", "completed", "failed", "interrupted", "cancelled", "skipped"]
_OVER: Mapping[str, NodeStatus] = {"error": "failed", "interrupt": "interrupted", "result": "completed"}
"""What becomes of a node that did not end by itself, by the last event of its run."""
NODES = frozenset({"metadata", "node_start", "node_end", *_OVER})
"""Events that are looked into. Tokens, which are nearly all, are not."""


@dataclass(frozen=True)
class NodeVisit:
    """One visit of a node. `interrupted`: it waits for a human; `cancelled`: its run was stopped meanwhile."""

    task_id: str
    node: str
    status: NodeStatus = "running"
    seconds: float | None = None
    error: str | None = None


def nodes_of(frames: Iterable[Frame]) -> list[NodeVisit]:
    """The visits in the order in which they began.

    `frames`: of a run in the words of `lab_stream.py`; those of other runs tell of no nodes. What a worker that died
    had left unfinished is left out: it is told again by the one that went on.
    """
    visits: dict[str, NodeVisit] = {}
    for frame in frames:
        if frame.name not in NODES:
            continue
        data = orjson.loads(frame.data)
        match frame.name, data:
            case "metadata", _:
                visits = {key: visit for key, visit in visits.items() if visit.status != "running"}
            case "node_start", {"task_id": str(task_id), "node": str(node)}:
                visits[task_id] = NodeVisit(task_id, node)
            case "node_end", {"task_id": str(task_id), "node": str(node)}:
                visits[task_id] = _ended(visits.get(task_id) or NodeVisit(task_id, node), data)
            case name, _ if name in _OVER:
                visits = {key: _left(visit, name, data) for key, visit in visits.items()}
    return list(visits.values())


def _ended(visit: NodeVisit, data: Mapping[str, Any]) -> NodeVisit:
    """With its end. A step of a crew that failed ends well, and says so in its outcome."""
    status: NodeStatus = "failed" if data.get("error") else "interrupted" if data.get("interrupted") else "completed"
    ended = replace(visit, status=status, seconds=data.get("seconds"), error=data.get("error"))
    match data.get("update"):
        case {"outcomes": [{"status": "failed" | "skipped" as became, "error": str() | None as error}]}:
            return replace(ended, status=became, error=error)
    return ended


def _left(visit: NodeVisit, last: str, data: Any) -> NodeVisit:
    """A visit whose run has ended. Whatever still ran was stopped with it."""
    if visit.status != "running":
        return visit
    if last != "error":
        return replace(visit, status=_OVER[last])
    stopped = isinstance(data, Mapping) and data.get("error") == "Conflict"
    error = data.get("detail") if isinstance(data, Mapping) else None
    return replace(visit, status="cancelled" if stopped else "failed", error=None if stopped else error)
