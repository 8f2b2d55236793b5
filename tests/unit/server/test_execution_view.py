"""An execution as it is shown: every kind of run is an ExecutionResult."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from server.streaming.lab_nodes import NodeVisit
from server.wire.execute import ExecutionResult
from server.wire.execution_view import TEAM, Execution, execution_type_of, execution_view

BEGAN = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
ID = UUID("01a2018d-d627-74f1-aa09-d3b9e4d48df5")
LATER = UUID("01a2018d-d627-74f1-aa09-d3b9e4d48df6")
SEED_METRICS = {
    "cache_hit": True,
    "load_time_sec": 0.0,
    "inference_time_sec": 1.0,
    "total_time_sec": 1.5,
    "tokens_generated": 7,
    "gpu_memory_used_gb": 0.0,
    "model_name": "demo",
    "strategy": "standard",
}
LAB = {"output": "84", "score": 0.9, "attempts": 2, "kind": "math", "language": "en", "metrics": SEED_METRICS}
STEP = {"agent_id": "writer", "model": "demo", "execution_time": 0.5, "input_tokens": 3, "output_tokens": 4}
CREW = {"output": "hi", "agents": [STEP, {**STEP, "agent_id": "Echo", "model": None, "output_tokens": 0}]}
DONE = Execution(
    execution_id=ID,
    run_id=ID,
    thread_id=ID,
    graph_id="orchestrator",
    status="COMPLETED",
    prompt="What is 12 * 7?",
    result=LAB,
    settings={"tools": ["calculator"]},
    error=None,
    created_at=BEGAN,
    started_at=BEGAN,
    finished_at=BEGAN + timedelta(seconds=2),
    metadata={"who": "me", "own_thread": True, "execution_type": "orchestrator", "graph_id": "orchestrator"},
)
RUNNING = replace(DONE, status="RUNNING", result=None, finished_at=None)
FAILED = replace(DONE, status="FAILED", result=None, error="TimedOut: too late")
WAITING = replace(DONE, status="INTERRUPTED", result=None, run_id=LATER)
TEAMED = replace(DONE, graph_id="crew", result=CREW, metadata={"crew_id": TEAM, "kind": "crew"}, settings={})
STRANGE = replace(DONE, graph_id="mine", result={"output": 5, "score": "high", "metrics": 3, "agents": [1, {}]})
ASKED = [{"interrupt_id": "1", "value": {"about": "score"}, "run_id": str(ID)}]


def shown(execution: Execution, **more: Any) -> dict[str, Any]:
    told = execution_view(execution, BEGAN + timedelta(seconds=9), **more)
    ExecutionResult.model_validate(told)
    assert set(told) == set(ExecutionResult.model_fields)
    return told


@pytest.mark.parametrize(
    "execution",
    [
        *(pytest.param(one, id=one.status) for one in (DONE, RUNNING, FAILED, WAITING)),
        pytest.param(TEAMED, id="agents"),
        pytest.param(STRANGE, id="a graph of its own"),
        pytest.param(replace(DONE, started_at=None, finished_at=None, result=None, status="PENDING"), id="PENDING"),
    ],
)
def test_every_execution_has_the_same_fields(execution: Execution) -> None:
    shown(execution)


def test_a_result_of_the_lab_is_told_with_the_metrics_of_the_seeds() -> None:
    told = shown(DONE)
    assert {name: told[name] for name in ("output", "score", "attempts", "kind")} == {
        name: LAB[name] for name in ("output", "score", "attempts", "kind")
    }
    assert told["metrics"] == SEED_METRICS
    assert (told["model"], told["strategy"], told["tools"]) == ("demo", "standard", ["calculator"])
    assert (told["execution_time"], told["completed_at"]) == (2.0, "2026-11-22T04:00:02.000000+00:00")
    assert told["metadata"] == {"who": "me"}


def test_what_waits_has_not_completed_and_says_what_it_asks() -> None:
    told = shown(WAITING, interrupts=ASKED, going_on_at=["ask_human"])
    assert (told["execution_id"], told["run_id"]) == (str(ID), str(LATER))
    assert told["interrupts"] == [{"interrupt_id": "1", "value": {"about": "score"}}]
    assert (told["completed_at"], told["output"], told["flow_state"]["next"]) == (None, None, ["ask_human"])


def test_the_time_of_what_runs_goes_on() -> None:
    nodes = [NodeVisit("1", "execute", "completed", 0.5), NodeVisit("2", "validate", "failed", 0.5, "no")]
    told = shown(RUNNING, nodes=[*nodes, NodeVisit("3", "execute")])
    assert told["execution_time"] == 9.0
    assert [node["status"] for node in told["nodes"]] == ["completed", "failed", "running"]
    flow = told["flow_state"]
    assert (flow["current_node"], flow["completed_nodes"], flow["failed_nodes"]) == (
        "execute",
        ["execute"],
        ["validate"],
    )


def test_agents_are_told_with_what_they_spent() -> None:
    told = shown(TEAMED)
    assert (told["execution_type"], told["agents"]) == ("orchestrator", ["writer", "Echo"])
    metrics = told["metrics"]
    assert metrics.keys() >= SEED_METRICS.keys()
    assert (metrics["model_name"], metrics["tokens_generated"], metrics["total_time_sec"]) == ("demo", 4, 1.0)


@pytest.mark.parametrize(
    ("graph", "metadata", "name"),
    [
        ("direct", {}, "simple"),
        ("lab:direct", {}, "simple"),
        ("orchestrator", {}, "orchestrator"),
        ("lab:orchestrator", {}, "orchestrator"),
        ("crew", {"crew_id": TEAM}, "orchestrator"),
        ("crew", {"crew_id": "mine"}, "crew"),
        ("flow", {}, "flow"),
        ("chat", {"execution_type": "simple"}, "chat"),
    ],
)
def test_a_run_is_called_by_what_asks_for_such_runs(graph: str, metadata: dict[str, Any], name: str) -> None:
    assert execution_type_of(graph, metadata) == name
