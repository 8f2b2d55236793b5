"""What a body of `/api/v1/execute`, `/inference` or `/orchestrate` runs, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest

from server.execution_request import TeamRequest, crew_of, is_worker, planned
from server.run_request import RunRequest
from server.wire.execute import ExecutionRequest
from server.wire.lab import InferenceRequest, ModelSettings, OrchestrateRequest, RunSettings
from server.wire.shaped import shaped
from state.context import Context
from state.crew_run import CrewContext
from state.errors import BadRequest

THREAD = "01a2018d-d627-74f1-aa09-d3b9e4d48df5"


def plan(**body: Any) -> RunRequest | TeamRequest:
    return planned(shaped(ExecutionRequest, {"prompt": "hello", **body}))


def refusal(**body: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        plan(**body)
    assert refused.value.status == 422
    return str(refused.value)


@pytest.mark.parametrize(
    ("body", "graph", "settings"),
    [
        pytest.param({}, "direct", {}, id="nothing but a prompt"),
        pytest.param({"agents": [], "tools": []}, "direct", {}, id="empty lists"),
        pytest.param({"model": None, "parameters": None, "temperature": None}, "direct", {}, id="nulls"),
        pytest.param({"max_tokens": 9, "temperature": 0}, "direct", {"max_tokens": 9, "temperature": 0.0}, id="on top"),
        pytest.param({"parameters": {"max_tokens": 9, "seed": 1}}, "direct", {"max_tokens": 9, "seed": 1}, id="below"),
        pytest.param({"context": {"strategy": "optimized"}}, "direct", {"strategy": "optimized"}, id="as context"),
        pytest.param({"seed": 1, "parameters": {"seed": 1}}, "direct", {"seed": 1}, id="the same twice"),
        pytest.param({"execution_type": "orchestrator"}, "orchestrator", {}, id="orchestrator"),
        pytest.param(
            {"execution_type": "orchestrator", "tools": ["calculator"], "parameters": {"min_score": 0.9}},
            "orchestrator",
            {"tools": ["calculator"], "min_score": 0.9},
            id="orchestrator with tools",
        ),
        pytest.param({"execution_type": "orchestrator", "tools": []}, "orchestrator", {"tools": []}, id="no tools"),
        pytest.param(
            {"execution_type": "orchestrator", "agents": ["analyzer", "monitor", "executor", "validator"]},
            "orchestrator",
            {},
            id="the seed's workers",
        ),
    ],
)
def test_a_body_is_a_run_of_a_graph(body: dict[str, Any], graph: str, settings: dict[str, Any]) -> None:
    assert plan(**body) == RunRequest(graph, settings, "hello")


def test_a_resume_keeps_what_it_leaves_out() -> None:
    body = {"prompt": None, "execution_type": "orchestrator", "thread_id": THREAD, "resume": True, "decision": "accept"}
    asked = plan(**body, temperature=None, parameters={"min_score": 0.5})
    assert isinstance(asked, RunRequest)
    assert (asked.prompt, str(asked.thread_id), asked.resume, asked.decision) == (None, THREAD, True, "accept")
    assert asked.context == {"min_score": 0.5}


def test_registered_agents_are_a_crew_in_their_order() -> None:
    body = {"agents": ["researcher", "writer"], "parameters": {"max_tokens": 5}, "thread_id": THREAD}
    team = plan(execution_type="orchestrator", metadata={"who": "me", "own_thread": True, "crew_id": "x"}, **body)
    assert isinstance(team, TeamRequest)
    assert team.agents == ("researcher", "writer")
    assert (team.asked.input, team.asked.settings) == ({"query": "hello"}, {"max_tokens": 5})
    assert team.asked.metadata == {"who": "me"}  # what marks a run is the server's
    crew = crew_of(team.agents)
    assert crew.execution_mode == "sequential"
    assert [(agent.agent_id, agent.config) for agent in crew.agents] == [
        (name, {"agent_id": name}) for name in team.agents
    ]


@pytest.mark.parametrize(
    ("body", "field", "hint"),
    [
        pytest.param({"agents": ["writer"]}, "agents", "orchestrator", id="agents of a simple one"),
        pytest.param({"tools": ["calculator"]}, "tools", "orchestrator", id="tools of a simple one"),
        pytest.param({"parameters": {"min_score": 0.9}}, "min_score", "orchestrator", id="a score of a simple one"),
        pytest.param({"prompt": None, "resume": True}, "resume", "orchestrator", id="resume of a simple one"),
        pytest.param({"decision": "accept"}, "resume", "orchestrator", id="decision of a simple one"),
        pytest.param({"execution_type": "magic"}, "execution_type", "'simple' or 'orchestrator'", id="type"),
        pytest.param({"max_token": 5}, "max_token", "max_tokens", id="misspelt"),
        pytest.param({"parameters": {"max_token": 5}}, "parameters.max_token", "not known", id="misspelt below"),
        pytest.param({"max_tokens": 5, "parameters": {"max_tokens": 6}}, "max_tokens is 5, and 6", "leave", id="two"),
        pytest.param({"max_tokens": 0}, "max_tokens", "greater than 0", id="no tokens"),
        pytest.param({"prompt": ""}, "prompt", "at least 1", id="empty prompt"),
        pytest.param({"prompt": 5}, "prompt", "string", id="prompt of another type"),
        pytest.param({"thread_id": "mine"}, "thread_id", "UUID", id="thread"),
        pytest.param({"metadata": {"a": "b" * 70_000}}, "metadata", "at most 65536", id="large metadata"),
        pytest.param({"agents": ["../../etc"]}, "agents.0", "pattern", id="agent id"),
    ],
)
def test_a_refusal_names_the_field_and_the_way_out(body: dict[str, Any], field: str, hint: str) -> None:
    told = refusal(**body)
    assert field in told and hint in told


@pytest.mark.parametrize(
    ("body", "field", "hint"),
    [
        pytest.param({"agents": ["analyzer", "writer"]}, "agents", "GET /agents", id="workers and agents"),
        pytest.param({"agents": ["writer", "writer"]}, "agents", "once", id="an agent twice"),
        pytest.param({"agents": ["writer"], "tools": ["calculator"]}, "tools", "of their own", id="tools"),
        pytest.param({"agents": ["writer"], "min_score": 0.9}, "min_score", "max_tokens", id="a score"),
        pytest.param({"agents": ["writer"], "prompt": " "}, "prompt", "say what", id="blank"),
        pytest.param({"agents": ["writer"], "decision": "x"}, "resume", "/executions/", id="an answer"),
    ],
)
def test_agents_are_not_asked_for_what_they_cannot_do(body: dict[str, Any], field: str, hint: str) -> None:
    told = refusal(execution_type="orchestrator", **body)
    assert field in told and hint in told


@pytest.mark.parametrize(
    "name",
    [
        *("analyzer", "TaskAnalyzer", "task_analyzer_node", "ResourceMonitor", "Summarizer", "ExecutionWorker"),
        *("output_validator", "HistoryReader", "history-reader", "read_history"),
    ],
)
def test_the_workers_have_the_names_of_the_seeds(name: str) -> None:
    assert is_worker(name)


@pytest.mark.parametrize("name", ["writer", "analyzer2", "evaluator", "checker", "node", ""])
def test_other_names_are_no_workers(name: str) -> None:
    assert not is_worker(name)


def test_bodies_take_the_settings_that_runs_have() -> None:
    assert set(RunSettings.model_fields) == set(Context.model_fields)
    assert set(ModelSettings.model_fields) == set(CrewContext.model_fields)


@pytest.mark.parametrize("shape", [InferenceRequest, OrchestrateRequest])
def test_the_lab_takes_settings_beside_the_prompt_or_as_parameters(
    shape: type[InferenceRequest] | type[OrchestrateRequest],
) -> None:
    body = {"prompt": "hello", "model": "demo", "parameters": {"max_tokens": 9, "temperature": 0.5}}
    assert shaped(shape, body).asked().context == {"model": "demo", "max_tokens": 9, "temperature": 0.5}
    with pytest.raises(BadRequest, match=r"temperature is 0\.1, and 0\.5 under parameters"):
        shaped(shape, {**body, "temperature": 0.1})
    with pytest.raises(BadRequest, match=r"parameters\.tokens: this key is not known"):
        shaped(shape, {**body, "parameters": {"tokens": 9}})


def test_one_call_takes_no_settings_of_the_orchestrator() -> None:
    with pytest.raises(BadRequest, match=r"parameters\.min_score: this key is not known"):
        shaped(InferenceRequest, {"prompt": "hello", "parameters": {"min_score": 0.5}})
