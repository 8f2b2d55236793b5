"""Nodes of an execution out of the stream of its run."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from server.streaming.frames import Frame
from server.streaming.job_events import events_of
from server.streaming.lab_nodes import NodeVisit, nodes_of


def frames(*told: tuple[str, Any]) -> list[Frame]:
    return [Frame(seq, name, orjson.dumps(data)) for seq, (name, data) in enumerate(told, 1)]


def start(node: str, task: str = "") -> tuple[str, Any]:
    return "node_start", {"node": node, "task_id": task or node}


def end(node: str, task: str = "", *, seconds: float = 0.5, **more: Any) -> tuple[str, Any]:
    return "node_end", {"node": node, "task_id": task or node, "seconds": seconds, "error": None, **more}


BEGIN = [("metadata", {"attempt": 1}), ("run", {"next": []})]
STOPPED = {"error": "Conflict", "status": 409, "detail": "the run was cancelled"}
LATE = {"error": "TimedOut", "status": 504, "detail": "too late"}
OUTCOME = {"status": "failed", "error": "no answer"}


def visit(node: str, status: Any = "completed", seconds: float | None = 0.5, error: str | None = None) -> NodeVisit:
    return NodeVisit(node, node, status, seconds, error)


@pytest.mark.parametrize(
    ("told", "nodes"),
    [
        pytest.param([], [], id="nothing yet"),
        pytest.param([start("a")], [visit("a", "running", None)], id="running"),
        pytest.param([start("a"), ("token", {}), end("a"), ("result", {})], [visit("a")], id="done"),
        pytest.param([start("a"), start("b"), end("b"), end("a")], [visit("a"), visit("b")], id="as they began"),
        pytest.param([end("a")], [visit("a")], id="an end alone"),
        pytest.param([start("a"), end("a", error="no")], [visit("a", "failed", error="no")], id="failed"),
        pytest.param(
            [start("a"), end("a", interrupted=True), ("interrupt", {})], [visit("a", "interrupted")], id="asks"
        ),
        pytest.param(
            [start("a"), end("a", update={"outcomes": [OUTCOME]}), start("b")],
            [visit("a", "failed", error="no answer"), visit("b", "running", None)],
            id="a step of a crew that failed",
        ),
        pytest.param(
            [start("a"), end("a", update={"outcomes": [{"status": "completed"}]})], [visit("a")], id="one that did not"
        ),
        pytest.param([start("a"), ("error", LATE)], [visit("a", "failed", None, "too late")], id="cut at its bound"),
        pytest.param([start("a"), ("error", STOPPED)], [visit("a", "cancelled", None)], id="cancelled"),
        pytest.param(
            [start("a"), end("a"), start("b"), ("metadata", {"attempt": 2}), start("b", "b"), end("b", seconds=2.0)],
            [visit("a"), visit("b", seconds=2.0)],
            id="taken over",
        ),
        pytest.param(
            [start("a"), end("a"), start("b"), ("metadata", {"attempt": 2})], [visit("a")], id="just taken over"
        ),
        pytest.param([("values", {"node": "a"}), ("node_start", None)], [], id="another stream"),
    ],
)
def test_a_stream_tells_what_its_nodes_did(told: list[tuple[str, Any]], nodes: list[NodeVisit]) -> None:
    assert nodes_of(frames(*BEGIN, *told)) == nodes


def test_a_node_that_is_visited_twice_stands_there_twice() -> None:
    told = [start("a", "1"), end("a", "1"), start("a", "2"), end("a", "2", seconds=1.5)]
    assert [(one.node, one.seconds) for one in nodes_of(frames(*told))] == [("a", 0.5), ("a", 1.5)]


def test_a_job_in_the_words_of_the_lab_tells_its_models_and_tokens_as_other_jobs_do() -> None:
    model, token = {"model": "demo"}, {"node": "writer", "message_id": "1", "text": "hi"}
    told = [
        said
        for frame in frames(*BEGIN, start("writer"), ("model", model), ("token", token))
        for said in events_of(frame)
    ]
    assert [(name, orjson.loads(data)) for name, data in told] == [
        ("attempt", {"attempt": 1}),
        ("model", model),
        ("token", {"step": "writer", "message_id": "1", "text": "hi"}),
    ]
