"""What the steps of a crew or a flow did, out of the log of its runs: each turn with its time and its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from server.streaming.frames import Frame
from server.streaming.lab_nodes import NodeStatus, NodeVisit

_ENDS: Mapping[str, NodeStatus] = {
    "completed": "completed",
    "fallback": "completed",
    "failed": "failed",
    "skipped": "skipped",
}
"""What became of a step, by the status that its event tells."""


def turns_of(frames: Iterable[Frame]) -> list[NodeVisit]:
    """The turns in the order in which they began.

    `frames`: of the runs of one execution, one after the other. A turn that is begun again, after a failure or with an
    answer to what it asked, is the same turn.
    """
    turns: list[NodeVisit] = []
    open_turns: dict[str, int] = {}
    for frame in frames:
        said: Any = orjson.loads(frame.data) if frame.name == "custom" else None
        match frame.name, said:
            case "metadata", _:  # of a worker that died, perhaps: the next one begins those turns again
                kept = [turn for turn in turns if turn.status != "running"]
                turns, open_turns = kept, {}
            case "custom", {"event": "agent", "step": str(step), "status": str(status)}:
                if step not in open_turns:
                    open_turns[step] = len(turns)
                    turns.append(NodeVisit(step, step))
                if status in _ENDS:
                    turns[open_turns.pop(step)] = _ended(step, _ENDS[status], said)
    return turns


def _ended(step: str, status: NodeStatus, told: Mapping[str, Any]) -> NodeVisit:
    return NodeVisit(step, step, status, told.get("seconds"), told.get("error"))
