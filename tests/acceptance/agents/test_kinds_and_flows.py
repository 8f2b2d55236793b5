"""Each kind of agent in one crew, and each shipped flow, on the demo model and a real Postgres."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.agents.agents import Client, HttpAgent, http_agents, registered, until

A2A = Path(__file__).with_name("a2a_agent.py")
SUM = "What is 17 + 25?"
FLOWS = (
    "code-and-test-review",
    "extract-to-json",
    "measure-and-summarise",
    "research-write-review",
    "translate-and-check",
    "write-and-approve",
)


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpAgent]:
    with http_agents(tmp_path_factory.mktemp("speaker"), "speaker") as agents:
        yield agents["speaker"]


@pytest.fixture(scope="module")
def shouter() -> Iterator[HttpAgent]:
    """A remote agent that is found by its card."""
    agent = HttpAgent("shouter", Path())
    process = subprocess.Popen([sys.executable, str(A2A), str(agent.port)])
    try:
        until(agent.listens)
        yield agent
    finally:
        process.kill()
        process.wait()


def test_one_crew_has_an_agent_of_each_kind(client: Client, speaker: HttpAgent, shouter: HttpAgent) -> None:
    client.register(speaker)
    body = {"agent_id": "shouter", "agent_class": "A2AAgent", "endpoint": shouter.endpoint}
    card = client.ask("POST", "/agents", json=body, expect=201)
    assert card["name"] == "Shouter" and "shouting" in card["capabilities"], "from its card"
    saved = client.save(
        "all-kinds",
        {"agent_id": "chat", "system_prompt": "You are a helpful assistant."},
        {"agent_id": "react", "agent_class": "ReactAgent", "tools": ["calculator"]},
        {"agent_id": "judge", "agent_class": "evaluator"},
        registered("speaker"),
        {"agent_id": "shouter", "agent_class": "A2AAgent", "config": {"agent_id": "shouter"}},
        {"agent_id": "inner", "agent_class": "GraphAgent", "config": {"graph": "direct"}},
        {"agent_id": "words", "agent_class": "Counter"},
        {"agent_id": "adds", "agent_class": "Adder"},
        execution_mode="flow",
        flow_relations=[{"source": "react", "target": "judge"}],
    )
    assert saved["status"] == "created"
    job = client.run("all-kinds", SUM)
    steps = {step["step"]: step for step in job["result"]["agents"]}
    assert {name: step["error"] for name, step in steps.items() if step["status"] != "completed"} == {}
    assert {name: step["agent_class"] for name, step in steps.items()} == {
        "chat": "ChatAgent",
        "react": "ChatAgent",
        "judge": "EvaluatorAgent",
        "speaker": "HttpAgent",
        "shouter": "A2AAgent",
        "inner": "GraphAgent",
        "words": "Counter",
        "adds": "Adder",
    }
    said = job["result"]["node_results"]
    assert "42" in said["react"]["response"] and steps["react"]["input_tokens"] > 0
    assert said["speaker"] == {"response": f"speaker({SUM})"}
    assert said["shouter"]["response"] == SUM.upper()
    assert said["words"] == {"response": "5 words"}
    assert said["adds"] == {"response": "42"}, "through the tool of an MCP server"
    assert 0.0 <= said["judge"]["score"] <= 1.0


@pytest.mark.parametrize("flow_id", FLOWS)
def test_a_shipped_flow_runs_on_the_demo_model(flow_id: str, client: Client) -> None:
    flow = client.ask("GET", f"/flows/{flow_id}")
    body = {"flow_id": flow_id, "input_data": flow["metadata"]["example"], "wait": True}
    done = client.ask("POST", "/flows/execute", json=body)
    if flow_id == "write-and-approve":
        assert done["status"] == "INTERRUPTED" and "Is this right?" in str(done["interrupts"])
        client.ask("POST", f"/executions/{done['execution_id']}/resume", json={"answer": "nothing"}, expect=202)
        done = until(
            lambda: one if (one := client.ask("GET", f"/executions/{done['execution_id']}"))["output_data"] else {}
        )
    assert done["status"] == "COMPLETED", done
    assert set(done["node_results"]) == {node["id"] for node in flow["nodes"]}
    assert {step["status"] for step in done["agents"]} == {"completed"}, done["agents"]
    assert done["output_data"]["output"].strip()


def test_the_shipped_flows_are_those_that_are_run_here(client: Client) -> None:
    listed = client.ask("GET", "/flows")
    assert sorted(flow["flow_id"] for flow in listed if flow["flow_id"] != "diamond") == sorted(FLOWS)


def test_what_does_not_exist_is_refused_with_what_does(client: Client) -> None:
    wrong = {
        "agent_class": ({"agent_id": "a", "agent_class": "os.system"}, "ChatAgent"),
        "tool": ({"agent_id": "a", "tools": ["rm"]}, "calculator"),
        "key": ({"agent_id": "a", "sytem_prompt": "x"}, "system_prompt"),
        "agent": ({"agent_id": "a", "agent_class": "HttpAgent", "config": {"agent_id": "researchr"}}, "researcher"),
    }
    for what, (agent, named) in wrong.items():
        answer = client.http.put("/api/v1/crew", json={"crew_id": "wrong", "agents": [agent]})
        assert answer.status_code in (409, 422) and named in answer.json()["detail"], (what, answer.text)
    client.ask("GET", "/api/v1/crew/wrong", expect=404)
    body = {"agent_id": "wrong", "agent_class": "ChatAgent", "tools": ["rm"]}
    assert "calculator" in client.ask("POST", "/agents", json=body, expect=422)["detail"]
    client.ask("GET", "/agents/wrong", expect=404)
