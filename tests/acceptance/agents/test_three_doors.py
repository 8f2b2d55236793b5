"""The same crew through its own routes, through the SDK as an assistant, and drawn: the three agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_sync_client

from tests.acceptance.agents.agents import Client, HttpAgent, http_agents, registered
from tests.acceptance.agents.conftest import Place
from tests.acceptance.processes import Process
from tests.acceptance.protocol.talking import said

QUERY = "what is Lima?"
RELATIONS = [{"source": "first", "target": ["left", "right"]}, {"source": ["left", "right"], "target": "last"}]
LEFT, RIGHT = f"left(first({QUERY}))", f"right(first({QUERY}))"
DIAMOND = f"last({LEFT}\n\n{RIGHT})"
MODES: dict[str, dict[str, Any]] = {
    "sequential": {"execution_mode": "sequential"},
    "parallel": {"execution_mode": "PARALLEL", "aggregator": "last"},
    "flow": {"execution_mode": "Flow", "flow_relations": RELATIONS},
    "adaptive": {"execution_mode": "adaptive", "decision": {"max_steps": 2}},
}


@pytest.fixture(scope="module")
def four(
    shared: tuple[Place, Client, Process], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, HttpAgent]]:
    with http_agents(tmp_path_factory.mktemp("four"), "first", "left", "right", "last") as agents:
        for agent in agents.values():
            shared[1].register(agent, f"be {agent.name}")
        yield agents


@pytest.mark.parametrize("mode", MODES)
def test_a_crew_says_the_same_through_its_routes_and_the_sdk_and_its_drawing_has_its_agents(
    mode: str, client: Client, four: dict[str, HttpAgent]
) -> None:
    if mode == "adaptive":  # who goes on is said by the agents themselves; the model that decides is not asked
        four["first"].be(say={"response": "to the right", "next": "right"})
        four["right"].be(say={"response": "it is there", "next": "end"})
    saved = client.save(f"{mode}-crew", *map(registered, four), **MODES[mode])
    job = client.run(f"{mode}-crew", QUERY)
    assert job["status"] == "COMPLETED", job["error"]
    result = job["result"]

    with get_sync_client(url=str(client.http.base_url)) as sdk:
        asked = {"messages": [{"role": "user", "content": QUERY}]}
        values = sdk.runs.wait(None, saved["assistant_id"], input=asked)
        streamed = [*sdk.runs.stream(None, saved["assistant_id"], input={"query": QUERY}, stream_mode="updates")]
        drawn = {node["id"] for node in sdk.assistants.get_graph(saved["assistant_id"])["nodes"]}
    assert isinstance(values, dict)
    for same in ("output", "results", "agent_ids", "node_results"):
        assert values["result"][same] == result[same], same
    assert values["messages"][-1]["content"] == result["output"]
    ran = {step["step"] for step in result["agents"]}
    updated = {node for part in streamed for node in part.data if node in four}
    assert ran == updated <= drawn
    assert {*four, "begin", "finish"} <= drawn
    for agent in four.values():
        agent.be()

    expected: dict[str, tuple[str, set[str]]] = {
        "sequential": (f"last(right(left(first({QUERY}))))", set(four)),
        "parallel": (f"last(first({QUERY})\n\nleft({QUERY})\n\nright({QUERY}))", set(four)),
        "flow": (DIAMOND, set(four)),
        "adaptive": ("it is there", {"first", "right"}),
    }
    assert (result["output"], ran) == expected[mode]
    if mode == "sequential":
        assert result["output"] == result["results"][-1] and len(result["results"]) == 4
    kinds = {(step["agent_class"], step["status"], step["attempts"]) for step in result["agents"]}
    assert kinds == {("HttpAgent", "completed", 1)}
    assert [line["event"] for line in result["execution_log"]].count("completed") == len(ran)


def test_a_job_tells_its_parts_while_it_runs_and_again_afterwards(client: Client, four: dict[str, HttpAgent]) -> None:
    client.save("told", *map(registered, four), execution_mode="flow", flow_relations=RELATIONS)
    four["last"].be(hold=True)
    job_id = client.begin("told", QUERY)
    heard: list[str] = []
    with client.http.stream("GET", f"/api/v1/crew/jobs/{job_id}/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            heard.append(line)
            if LEFT in line and four["last"].held:  # a part of the result, and the job goes on
                assert client.job(job_id)["status"] == "RUNNING"
                four["last"].be()
    live = said("\n".join(heard))
    parts = [event.data["text"] for event in live if event.event == "agent" and event.data["status"] == "completed"]
    assert sorted(parts) == sorted([f"first({QUERY})", LEFT, RIGHT, DIAMOND])
    assert (live[-1].event, live[-1].data["result"]["output"]) == ("result", DIAMOND)
    again = said(client.http.get(f"/api/v1/crew/jobs/{job_id}/stream").text)
    assert again == live
    middle = next(event for event in again if LEFT in str(event.data))
    rest = said(client.http.get(f"/api/v1/crew/jobs/{job_id}/stream", headers={"Last-Event-ID": middle.id}).text)
    assert rest == again[again.index(middle) + 1 :]


def test_messages_follow_the_edges_of_the_crew(client: Client, four: dict[str, HttpAgent]) -> None:
    client.save("talking", *map(registered, four), execution_mode="flow", flow_relations=RELATIONS)
    job = client.run("talking", QUERY)
    told = client.messages(job["job_id"])
    pairs = [("first", "left"), ("first", "right"), ("left", "last"), ("right", "last")]
    assert told[0] == ("client", "first") and told[-1] == ("last", "client")
    assert sorted(told[1:-1]) == pairs
    in_state = client.ask("GET", f"/threads/{job['thread_id']}/state")["values"]["agent_messages"]
    assert sorted((one["from_agent"], one["to_agent"]) for one in in_state) == sorted(told)


def test_a_flow_as_yaml_runs_over_registered_agents(client: Client, four: dict[str, HttpAgent]) -> None:
    text = Path(__file__).with_name("diamond.yaml").read_text()
    stored = client.ask("POST", "/flows", content=text, headers={"Content-Type": "application/yaml"}, expect=201)
    assert client.ask("GET", "/flows/diamond")["nodes"][3]["depends_on"] == ["b", "c"]
    done = client.ask(
        "POST", "/flows/execute", json={"flow_id": "diamond", "input_data": {"query": QUERY}, "wait": True}
    )
    assert done["status"] == "COMPLETED" and stored["flow_id"] == "diamond"
    assert set(done["node_results"]) == {"a", "b", "c", "d"}
    assert done["node_results"]["a"] == {"response": f"first({QUERY})"}
    sent = four["last"].calls()[-1]
    assert sent["input"] == {"b": done["node_results"]["b"], "c": done["node_results"]["c"]}
    assert sent["config"]["tone"] == "dry" and sent["execution"] == done["execution_id"]
    assert client.messages(done["execution_id"])[-1] == ("last", "client")


@pytest.mark.parametrize("as_node", ["first", "last", "finish"])
def test_a_state_that_no_later_run_could_read_is_refused(
    as_node: str, client: Client, four: dict[str, HttpAgent]
) -> None:
    client.save("changed", *map(registered, four))
    thread_id = client.run("changed", QUERY)["thread_id"]
    for values in ({"outcomes": [{"step": 1}]}, {"shared": [{}]}, {"task": ["x"]}, {"agent_messages": [1]}):
        client.ask("POST", f"/threads/{thread_id}/state", json={"values": values, "as_node": as_node}, expect=400)
    client.ask("POST", f"/threads/{thread_id}/state", json={"values": {"task": "other"}, "as_node": as_node})
    again = client.run("changed", "and now?", thread_id=thread_id)
    assert again["result"]["output"] == "last(right(left(first(and now?))))"
