"""What runs a job is made of: the body of its first run, and of those that bring answers. Decided from values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from server.db.jobs import Job
from server.definitions import Kept
from server.run_queue.configuration import safe_config, safe_context
from server.run_queue.shapes import Run
from state.errors import BadRequest

STREAM_MODES = ("custom", "messages-tuple")
"""What of a run is kept to be heard: agents' turns and tokens. Without `values`, a run leaves its whole state."""
MARKS = (
    *("kind", "crew_id", "flow_id", "source", "own_thread", "job_id", "job_created_at"),
    *("graph_id", "assistant_id", "created_by"),
)
"""Keys of a run's metadata that are the server's; the others are the client's."""


@dataclass(frozen=True)
class Asked:
    """What a client wants executed. `settings`: fields of `state.crew_run.CrewContext`."""

    input: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    webhook: str | None = None
    thread_id: UUID | None = None


@dataclass(frozen=True)
class Pinned:
    """The assistant that a job was begun with, as it was then: an answer goes to the same definition."""

    assistant_id: UUID
    graph_id: str
    config: Mapping[str, Any]
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]


_BODY: Mapping[str, Any] = {
    "stream_mode": list(STREAM_MODES),
    # An agent's model is called in a graph of its own; its tokens are heard only so.
    "stream_subgraphs": True,
    "stream_resumable": True,
    "on_completion": "keep",
    "if_not_exists": "create",
    # An agent that has answered is not called again after a crash: its answer is kept before the next one is asked.
    "durability": "sync",
}


def answer_for(waiting: Sequence[str], answer: Any, interrupt_id: str | None) -> Any:
    """What a run is resumed with, of the interrupts that wait. Raises BadRequest: unknown, or which of several?"""
    if answer is None:
        raise BadRequest("answer: null answers nothing")
    if interrupt_id is None and len(waiting) > 1:
        raise BadRequest(f"several questions wait; name one as interrupt_id: {', '.join(waiting)}")
    if interrupt_id is not None and interrupt_id not in waiting:
        raise BadRequest(f"no interrupt '{interrupt_id[:100]}' waits; what waits: {', '.join(waiting) or 'none'}")
    chosen = interrupt_id or next(iter(waiting), None)
    # By its id: an answer that is itself an object with such keys would be taken for several.
    return answer if chosen is None else {chosen: answer}


def first_body(kept: Kept, asked: Asked) -> dict[str, Any]:
    """Of the run that a job begins with; the server's marks in its metadata go over the client's."""
    whose = {"kind": kept.kind, f"{kept.kind}_id": kept.name, "own_thread": asked.thread_id is None}
    return {
        **_BODY,
        "input": asked.input,
        # Not as context: that would stand for the assistant's whole configuration.
        "config": {"configurable": dict(asked.settings)},
        "metadata": {**{key: value for key, value in asked.metadata.items() if key not in MARKS}, **whose},
        "webhook": asked.webhook,
    }


def answering_body(job: Job, first: Run, resume: Any) -> dict[str, Any]:
    """Of a run that goes on with a job; `first`: the one that the job began with."""
    marks = {key: value for key, value in first.metadata.items() if key not in ("graph_id", "assistant_id")}
    return {
        **_BODY,
        "command": {"resume": resume},
        # What was asked stays with it; the command goes before it.
        "input": first.kwargs.get("input"),
        "metadata": {**marks, "job_id": str(job.job_id), "job_created_at": job.created_at.isoformat()},
        "webhook": job.webhook,
        "multitask_strategy": "reject",
    }


def pinned(first: Run) -> Pinned:
    """The assistant of a run, as it was."""
    return Pinned(
        assistant_id=first.assistant_id or first.run_id,
        graph_id=first.graph_id,
        config=safe_config(first.kwargs.get("config")),
        context=safe_context(first.kwargs.get("context")),
        metadata={},
    )
