"""What parameters mean, where their routes do not say it themselves: an example each, and the type that a client sends.

Routes of the Agent Server read most of them as text, to refuse them in the reference's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from server.wire.runs import STREAM_MODES
from server.wire.shapes.building import AN_ID, ID, TEXT, Schema, word


class Parameter(NamedTuple):
    """`schema` takes the place of the route's own."""

    example: Any
    about: str
    schema: Schema | None = None


def _flag(about: str) -> Parameter:
    return Parameter("true", about, {"type": "boolean", "default": False})


def _count(default: int, about: str) -> Parameter:
    return Parameter(default, about, {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": default})


PARAMETERS: Mapping[str, Parameter] = {
    "path.thread_id": Parameter(AN_ID, "the thread", ID),
    "path.run_id": Parameter(AN_ID, "the run", ID),
    "path.cron_id": Parameter(AN_ID, "the cron", ID),
    "path.job_id": Parameter(AN_ID, "the job"),
    "path.execution_id": Parameter(AN_ID, "the execution"),
    "path.assistant_id": Parameter("orchestrator", "id of an assistant, or name of a graph"),
    "path.checkpoint_id": Parameter(AN_ID, "a checkpoint of the thread"),
    "path.namespace": Parameter("child", "of a subgraph: node names from the root, with | between them", TEXT),
    "path.agent_id": Parameter("echo", "id of a registered agent"),
    "path.crew_id": Parameter("research", "the crew"),
    "path.flow_id": Parameter("summarise", "the flow"),
    "path.name": Parameter("demo", "name in the catalogue"),
    "path.model_key": Parameter("demo", "name in the catalogue; with `:strategy` one way to load it"),
    "query.limit": Parameter(10, "how many at most"),
    "query.offset": Parameter(0, "how many to leave out first"),
    "Threads.limit": Parameter(
        10, "how many at most", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1}
    ),
    "Thread Runs.limit": _count(10, "how many at most"),
    "Thread Runs.offset": _count(0, "how many to leave out first"),
    "Threads.select": Parameter(["values", "next"], "fields of a state, or `values.<key>`; all without"),
    "Thread Runs.select": Parameter(["run_id", "status"], "fields of a run; all without"),
    "Thread Runs.status": Parameter(
        "success", "how the runs stand", word("pending", "running", "success", "error", "interrupted", "timeout")
    ),
    "query.status": Parameter("COMPLETED", "how they stand, in any letter case"),
    "Threads.before": Parameter(AN_ID, "a checkpoint; only those before it"),
    "Threads.include": Parameter("ttl", "`ttl`: how long it lives"),
    "Threads.stream_modes": Parameter(["lifecycle"], "`run_modes`: all that runs say; `lifecycle`: begin and end"),
    "query.stream_mode": Parameter(
        ["values"],
        "of what was asked with the run, only these",
        {"type": "array", "items": {"type": "string", "enum": [*STREAM_MODES]}},
    ),
    "query.subgraphs": _flag("whether the states of subgraphs are told"),
    "query.recurse": _flag("whether subgraphs of subgraphs are told"),
    "query.xray": Parameter(
        "true",
        "true, or a depth: subgraphs are opened",
        {"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1}], "default": False},
    ),
    "query.wait": _flag("answer when it has ended"),
    "query.action": Parameter(
        "interrupt",
        "`interrupt` keeps what was done, `rollback` undoes it",
        {**word("interrupt", "rollback"), "default": "interrupt"},
    ),
    "query.cancel_on_disconnect": _flag("the run is stopped when this client leaves"),
    "query.delete_threads": _flag("the threads whose metadata names it are deleted as well"),
    "query.refresh_ttl": Parameter("false", "false: its time to live is not renewed"),
    "query.key": Parameter("language", "the item's key"),
    "Store.namespace": Parameter("memories.ana", "labels with dots between them"),
    "query.namespace": Parameter("child", "the subgraph"),
    "query.check_db": Parameter(1, "1: ask Postgres as well"),
    "query.format": Parameter(
        "json", "for Prometheus, or as JSON", {**word("prometheus", "json"), "default": "prometheus"}
    ),
    "query.capability": Parameter("summarise", "that they have"),
    "query.agent_type": Parameter("agent", "of this type"),
    "query.origin": Parameter("api", "where they come from"),
    "agents.status": Parameter("idle", "active: switched on"),
    "query.crew_id": Parameter("research", "of this crew"),
    "query.name": Parameter("Research", "of this name"),
    "query.flow_id": Parameter("summarise", "of this flow"),
    "query.job_id": Parameter(AN_ID, "the job"),
    "query.thread_id": Parameter(AN_ID, "on this thread"),
    "query.strategy": Parameter("standard", "how it was loaded"),
    "query.cursor": Parameter("WyIyMDI2LTAxLTMxIl0", "`next_cursor` of the page before"),
    "query.execution_type": Parameter("orchestrator", "of this type"),
    "query.graph": Parameter("orchestrator", "of this graph"),
    "query.model": Parameter("demo", "of this model"),
    "query.since": Parameter("2026-01-01T00:00:00Z", "not before"),
    "query.until": Parameter("2026-12-31T00:00:00Z", "before"),
    "query.min_score": Parameter(0.5, "with this score or a better one"),
    "query.q": Parameter("lease -token", "words"),
    "header.Last-Event-ID": Parameter("-1", "the last event that was heard: go on after it"),
    "header.prefer": Parameter("return=minimal", "`return=minimal`: answer without a body"),
}
"""By `tag.name`, or else by `place.name`."""
