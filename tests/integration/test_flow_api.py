"""`/flows`, `/executions` and `/monitoring` as their clients use them: real Postgres, agents in Python."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from server.cli.models.client import read_events
from server.db.agents import MOST_FOUND
from server.db.jobs import BOTH, JobFilter
from server.definitions import definition_id
from state.agents import NewAgent
from state.errors import NotFound
from state.flows import FlowSpec
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

YAML = """\
flow_id: {flow_id}
name: Two steps
version: 2.1.0
nodes:
  - id: first
    agent_id: Echo
    config: {{attempts: 1, prompt: "about ${{input.topic}}"}}
  - id: second
    capability: seeing
    depends_on: [first]
entry_point: first
exit_points: [second]
metadata: {{team: 7}}
"""
AS_YAML = {"content-type": "application/yaml"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(postgres, tmp_path_factory.mktemp("flows")) as opened:
        yield opened


def node(name: str, after: str = "", **fields: Any) -> dict[str, Any]:
    return {"id": name, "depends_on": [after] if after else [], **fields}


def flow(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A flow of its own: it begins with the first node and ends with the last."""
    ends = {"entry_point": nodes[0]["id"], "exit_points": [nodes[-1]["id"]]}
    return {"flow_id": f"f{uuid4().hex}", "nodes": [*nodes], **ends, **fields}


async def keep(served: Served, *nodes: dict[str, Any]) -> str:
    made = await served.ok("POST", "/flows", 201, json=flow(*nodes))
    return str(made["flow_id"])


async def run(served: Served, flow_id: str, status: int = 200, **fields: Any) -> Any:
    """The execution at its end; with 202 as it is accepted."""
    body = {"flow_id": flow_id, "input_data": {"topic": "tea"}, "wait": status == 200, **fields}
    return await served.ok("POST", "/flows/execute", status, json=body)


async def test_a_flow_whose_settings_name_what_is_not_there_is_refused_with_their_lines(served: Served) -> None:
    for name, kind, wanted in (("talker", "ChatAgent", "model"), ("nested", "GraphAgent", "graph")):
        body = {"agent_id": name, "agent_class": kind, "config": {"graph": "flow"}, "capabilities": [f"{name}s"]}
        await served.ok("POST", "/agents", 201, json=body)
        for who in ({"agent_id": name}, {"capability": f"{name}s"}):
            wrong = flow(node("a", config={wanted: "nothing"}, **who))
            detail = await served.refused("POST", "/flows", 422, json=wrong)
            assert f"nodes[0].config.{wanted}: " in detail and "'nothing'" in detail
            assert (await served.ok("POST", "/flows/validate", json=wrong))["valid"] is False
    far = {"agent_id": "far", "agent_class": "HttpAgent", "endpoint": "http://8.8.8.8"}
    await served.ok("POST", "/agents", 201, json=far)
    text = """{flow_id: f, entry_point: a, exit_points: a, nodes: [{id: a, agent_id: far, config: {
        token: k3y,
        endpoint: "http://169.254.169.254/"}}]}"""
    detail = await served.refused("POST", "/flows", 422, content=text, headers=AS_YAML)
    assert "flow:2:16: node 'a': token would be shown" in detail and "k3y" not in detail
    assert "flow:3:19: node 'a': flows call registered agents" in detail
    await keep(served, node("a", agent_id="Echo", config={"token": "its own", "model": "its own"}))


async def test_of_more_agents_than_are_chosen_among_a_flow_may_name_each(served: Served) -> None:
    for index in range(MOST_FOUND + 1):
        last = {"capabilities": ["being last"]} if index == MOST_FOUND else {}
        made = NewAgent(agent_id=f"z{index:03}", agent_class="ChatAgent", **last)
        await served.lab.agents.agents.register("default", made)
    last = f"z{MOST_FOUND}"
    await keep(served, node("a", agent_id=last), node("b", "a", capability="being last"))
    await served.ok("PATCH", f"/agents/{last}", json={"active": False})
    off = flow(node("a", agent_id=last), node("b", "a", capability="being last"))
    detail = await served.refused("POST", "/flows", 422, json=off)
    assert f"there is no agent '{last}'" in detail and "there is no agent with the capability 'being last'" in detail


async def test_a_flow_said_in_yaml_is_kept_changed_found_and_deleted(served: Served) -> None:
    text = YAML.format(flow_id="two-steps")
    response = await served.http.post("/flows", content=text, headers=AS_YAML)
    made = response.json()
    assert response.status_code == 201 and response.headers["location"] == "/flows/two-steps"
    assert (made["flow_id"], made["name"], made["version"], made["revision"]) == ("two-steps", "Two steps", "2.1.0", 1)
    assert made["nodes"][1]["capability"] == "seeing" and made["metadata"] == {"team": 7}
    assert made["assistant_id"] == str(definition_id("flow", "two-steps"))

    again = await served.ok("PUT", "/flows/two-steps", content=text, headers=AS_YAML)
    assert again == made, "nothing has changed"
    renamed = text.replace("Two steps", "Steps")
    for media_type in ("text/yaml", "application/x-yaml"):
        changed = await served.ok("PUT", "/flows/two-steps/", content=renamed, headers={"content-type": media_type})
        assert (changed["name"], changed["revision"]) == ("Steps", 2)
    assert changed == await served.ok("GET", "/flows/two-steps")
    listed = {one["flow_id"]: one for one in await served.ok("GET", "/flows")}
    assert listed["two-steps"]["nodes"] == ["first", "second"] and listed["two-steps"]["source"] == "api"
    assert listed["research-write-review"]["source"] == "shipped"
    await served.ok("DELETE", "/flows/two-steps", 204)
    assert "there is no flow" in await served.refused("GET", "/flows/two-steps", 404)


async def test_a_wrong_flow_is_refused_with_the_lines_of_its_mistakes(served: Served) -> None:
    text = YAML.format(flow_id="x").replace("agent_id: Echo", "agent_id: Ecko").replace("[first]", "[frist]")
    told = await served.refused("POST", "/flows", 422, content=text, headers=AS_YAML)
    assert "flow:6:15:" in told and "did you mean Echo?" in told and "flow:10:18:" in told
    checked = await served.ok("POST", "/flows/validate", content=text, headers=AS_YAML)
    assert checked["valid"] is False
    assert {(fault["line"], fault["column"]) for fault in checked["faults"]} >= {(6, 15), (10, 18)}
    good = await served.ok("POST", "/flows/validate", content=YAML.format(flow_id="x"), headers=AS_YAML)
    assert good == {"valid": True, "faults": []}
    as_json = await served.ok("POST", "/flows/validate", json=flow(node("a", agent_id="Echo", kind="x")))
    assert as_json["faults"][0]["path"] == ["nodes", 0, "kind"] and as_json["faults"][0]["line"] is None


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"\xff\xfe", "headers": AS_YAML}, 422),
        ({"content": "!!python/object/apply:os.system [ls]", "headers": AS_YAML}, 422),
        ({"content": "{}", "headers": {"content-type": "text/html"}}, 415),
        ({"content": '{"flow_id": NaN}', "headers": {"content-type": "application/json"}}, 422),
        ({"json": []}, 422),
        ({"json": flow(node("a", agent_id="Echo"), flow_id="execute")}, 422),
        ({"json": flow(node("a", agent_id="Echo"), flow_id="a/b")}, 422),
    ],
    ids=["bytes", "tag", "html", "nan", "list", "taken", "id"],
)
async def test_what_is_no_flow_is_refused(served: Served, sent: dict[str, Any], status: int) -> None:
    assert await served.refused("POST", "/flows", status, **sent)


@pytest.mark.parametrize("as_yaml", [True, False], ids=["yaml", "json"])
async def test_a_flow_that_says_no_id_has_that_of_its_url(served: Served, as_yaml: bool) -> None:
    flow_id, body = f"f{uuid4().hex}", flow(node("a", agent_id="Echo"), flow_id=None)
    # JSON is YAML, too.
    sent = {"content": json.dumps(body), "headers": AS_YAML} if as_yaml else {"json": body}
    made = await served.ok("PUT", f"/flows/{flow_id}", 201, **sent)
    assert made["flow_id"] == flow_id == (await served.ok("GET", f"/flows/{flow_id}"))["flow_id"]
    assert "flow_id" in await served.refused("PUT", "/flows/a b", 422, **sent)
    assert "flow_id" in await served.refused("POST", "/flows", 422, **sent)


async def test_a_flow_is_kept_under_its_own_id_alone(served: Served) -> None:
    assert "make them one" in await served.refused("PUT", "/flows/other", 422, json=flow(node("a", agent_id="Echo")))


async def test_an_execution_tells_what_each_node_gave(served: Served) -> None:
    flow_id = await keep(served, node("first", agent_id="Echo", config={"prompt": "on ${input.topic}"}),
                         node("second", "first", capability="seeing"))  # fmt: skip
    made = await run(served, flow_id, 202, metadata={"ticket": 1})
    assert made["status"] in ("PENDING", "RUNNING", "COMPLETED") and made["execution_id"] == made["run_id"]
    events = await heard(served, made["execution_id"])
    assert events[-1][0] == "result"

    done = await served.ok("GET", f"/executions/{made['execution_id']}/")
    assert (done["flow_id"], done["status"], done["input_data"]) == (flow_id, "COMPLETED", {"topic": "tea"})
    assert done["metadata"] == {"ticket": 1} and done["error_message"] is None
    assert done["node_results"]["first"] == {"response": "Echo: on tea"}
    assert done["node_results"]["second"]["input"] == {"first": {"response": "Echo: on tea"}}
    assert done["output_data"]["output"] == "seen" and [each["step"] for each in done["agents"]] == ["first", "second"]
    assert done["execution_log"][-1]["event"] == "finished"
    assert events[-1][1] == done

    said = await served.ok("GET", f"/executions/{made['execution_id']}/messages")
    told = [(one["from_agent"], one["to_agent"]) for one in said]
    assert told == [("client", "Echo"), ("Echo", "Seen"), ("Seen", "client")]
    newest = await served.ok("GET", f"/executions/{made['execution_id']}/messages?limit=1")
    assert newest == said[-1:]
    mine = await served.ok("GET", f"/executions?flow_id={flow_id}&status=Completed")
    assert [one["execution_id"] for one in mine] == [made["execution_id"]]


async def heard(served: Served, execution_id: str) -> list[tuple[str, Any]]:
    response = await served.http.get(f"/executions/{execution_id}/stream")
    return list(read_events(iter(response.text.splitlines())))


async def test_a_question_is_told_and_its_answer_goes_on_with_the_same_execution(served: Served) -> None:
    flow_id = await keep(
        served,
        node("draft", agent_id="Echo"),
        node("ask", "draft", type="human", config={"question": "good?", "choices": ["yes", "no"]}),
        node("last", "ask", agent_id="Seen"),
    )
    asked = await run(served, flow_id)
    assert asked["status"] == "INTERRUPTED" and asked["completed_at"] is None and asked["output_data"] is None
    assert set(asked["node_results"]) == {"draft"} and "good?" in json.dumps(asked["interrupts"][0]["value"])
    path = f"/executions/{asked['execution_id']}"
    assert (await heard(served, asked["execution_id"]))[-1][0] == "interrupt"

    await served.refused("POST", f"{path}/resume", 422, json={"answer": None})
    wrong = {"answer": "yes", "interrupt_id": "0" * 32}
    assert asked["interrupts"][0]["id"] in await served.refused("POST", f"{path}/resume", 422, json=wrong)
    await served.ok("PUT", f"/flows/{flow_id}", json=flow(node("other", agent_id="Echo"), flow_id=flow_id))
    gone_on = await served.ok("POST", f"{path}/resume", 202, json={"answer": "yes"})
    assert gone_on["execution_id"] == asked["execution_id"]
    events = await heard(served, asked["execution_id"])
    assert events[-1][0] == "result" and [data["step"] for name, data in events if name == "agent"][-1] == "last"

    done = await served.ok("GET", path)
    assert done["status"] == "COMPLETED" and done["run_id"] != asked["run_id"], "as the flow was when it began"
    assert "yes" in json.dumps(done["node_results"]["last"]["input"]["ask"]) and done["input_data"] == {"topic": "tea"}
    assert len(await served.ok("GET", f"{path}/messages")) == 4
    assert len(await served.ok("GET", f"/executions?flow_id={flow_id}")) == 1
    assert "asks nothing" in await served.refused("POST", f"{path}/resume", 409, json={"answer": "yes"})
    await served.ok("DELETE", path, 204)
    assert (await served.http.get(f"/threads/{done['thread_id']}")).status_code == 404


async def test_an_execution_that_waits_can_be_cancelled(served: Served) -> None:
    flow_id = await keep(served, node("draft", agent_id="Echo"), node("ask", "draft", type="human",
                                                                     config={"question": "?"}))  # fmt: skip
    asked = await run(served, flow_id)
    path = f"/executions/{asked['execution_id']}"
    done = await served.ok("POST", f"{path}/cancel")
    assert (done["status"], done["error_message"][:15]) == ("CANCELLED", "nobody answered")
    await served.refused("POST", f"{path}/resume", 409, json={"answer": "yes"})
    await served.refused("POST", f"{path}/cancel", 409)


async def test_a_thread_that_went_on_takes_no_answer_to_what_was_asked_before(served: Served) -> None:
    flow_id = await keep(served, node("ask", type="human", config={"question": "?"}))
    thread_id = str(uuid4())
    first = await run(served, flow_id, thread_id=thread_id)
    second = await run(served, flow_id, thread_id=thread_id)
    assert first["status"] == second["status"] == "INTERRUPTED"
    path = f"/executions/{first['execution_id']}"
    assert (await served.ok("GET", path))["status"] == "INTERRUPTED"
    assert "gone on" in await served.refused("POST", f"{path}/resume", 409, json={"answer": 1})
    await served.ok("POST", f"/executions/{second['execution_id']}/resume", 202, json={"answer": 1})
    assert (await heard(served, second["execution_id"]))[-1][0] == "result"
    listed = await served.ok("GET", f"/executions?flow_id={flow_id}")
    assert [one["status"] for one in listed] == ["COMPLETED", "INTERRUPTED"]


async def test_an_execution_that_is_done_stays_so_when_its_thread_is_changed(served: Served) -> None:
    flow_id = await keep(served, node("a", agent_id="Echo"), node("b", "a", agent_id="Echo"))
    done = await run(served, flow_id)
    # As in time travel: the thread waits for its second node again.
    body = {"values": {"task": "other"}, "as_node": "a"}
    await served.ok("POST", f"/threads/{done['thread_id']}/state", json=body)
    assert (await served.ok("GET", f"/threads/{done['thread_id']}"))["status"] == "interrupted"
    assert await served.ok("GET", f"/executions/{done['execution_id']}") == done


async def test_an_answer_by_the_agent_server_s_api_goes_on_with_the_execution_too(served: Served) -> None:
    flow_id = await keep(served, node("ask", type="human", config={"question": "?"}))
    asked = await run(served, flow_id)
    body = {"assistant_id": asked["assistant_id"], "command": {"resume": "by hand"}}
    await served.ok("POST", f"/threads/{asked['thread_id']}/runs/wait", json=body)
    done = await served.ok("GET", f"/executions/{asked['execution_id']}")
    assert done["status"] == "COMPLETED" and "by hand" in json.dumps(done["node_results"]["ask"])
    assert len(await served.ok("GET", f"/executions?flow_id={flow_id}")) == 1


async def test_a_flow_whose_agent_was_deregistered_is_refused_at_once(served: Served) -> None:
    await served.lab.agents.agents.set_enabled("default", "Echo", True)
    flow_id = await keep(served, node("a", agent_id="Echo"))
    await served.lab.agents.agents.set_enabled("default", "Echo", False)
    try:
        body = {"flow_id": flow_id}
        assert "there is no agent 'Echo'" in await served.refused("POST", "/flows/execute", 409, json=body)
    finally:
        await served.lab.agents.agents.set_enabled("default", "Echo", True)
    assert await served.ok("GET", f"/executions?flow_id={flow_id}") == []


async def test_monitoring_tells_agents_executions_messages_and_times(served: Served) -> None:
    flow_id = await keep(served, node("a", agent_id="Echo"))
    await run(served, flow_id)
    stats = await served.ok("GET", "/monitoring/stats")
    assert stats["agents"]["total"] == sum(stats["agents"]["by_status"].values()) >= 4
    assert stats["executions"]["by_status"]["COMPLETED"] >= 1 and 0 < stats["executions"]["success_rate"] <= 1
    messages, process = stats["messages"], stats["this_process"]
    assert messages["kept"] >= messages["last_day"]["sent"] >= messages["last_hour"]["sent"] >= 2
    said = {one["agent_id"]: one for one in messages["agents"]}
    assert said["Echo"]["last_day"]["sent"] >= 1 and said["Echo"]["last_hour"]["received"] >= 1
    assert process["messages"]["delivery_p50_seconds"] is None, "steps hand on their answers in no time to tell"
    assert process["resident_bytes"] > 0 and process["uptime_seconds"] > 0
    async with asyncio.timeout(10):
        while True:  # calls are written beside the run
            figures = await served.ok("GET", "/monitoring/executions")
            echo = [each for each in figures["agents"] if each["agent_id"] == "Echo"]
            if echo and echo[0]["completed"]:
                break
            await asyncio.sleep(0.02)
    mine = next(each for each in figures["executions"] if each.get("flow_id") == flow_id)
    assert (mine["total"], mine["success_rate"]) == (1, 1.0) and mine["p50_seconds"] > 0
    assert figures["recent"][0]["flow_id"] == flow_id and echo[0]["p95_seconds"] is not None


async def test_another_tenant_sees_nothing_of_it(served: Served) -> None:
    flow_id = await keep(served, node("a", agent_id="Echo"))
    execution = await run(served, flow_id)
    executions = served.lab.executions
    mine = await executions.search("default", JobFilter(), limit=10, offset=0)
    assert mine[1] > 0 and await executions.search("other", JobFilter(), limit=10, offset=0) == ([], 0)
    for asking in (
        executions.get("other", UUID(execution["execution_id"])),
        served.lab.definitions.get("other", "flow", flow_id),
    ):
        with pytest.raises(NotFound):
            await asking
    assert await executions.figures("other", BOTH, by_name=True) == []


async def test_flows_that_come_along_are_kept_up_and_those_of_clients_are_left_alone(served: Served) -> None:
    definitions = served.lab.definitions
    mine = FlowSpec.model_validate(flow(node("a", agent_id="Echo")))
    await definitions.ensure_flows("default", [(mine, "folder")])
    assert (await definitions.get("default", "flow", mine.flow_id)).source == "folder"
    newer = mine.model_copy(update={"name": "newer"})
    await definitions.ensure_flows("default", [(newer, "folder")])
    await definitions.ensure_flows("default", [(newer, "folder")])
    kept = await definitions.get("default", "flow", mine.flow_id)
    assert (kept.assistant.name, kept.assistant.version) == ("newer", 2)
    await definitions.put_flow("default", mine.model_copy(update={"name": "a client's"}))
    await definitions.ensure_flows("default", [(newer, "folder")])
    kept = await definitions.get("default", "flow", mine.flow_id)
    assert (kept.assistant.name, kept.source) == ("a client's", "api")


async def test_an_assistant_that_is_no_flow_any_more_spoils_no_list(served: Served) -> None:
    flow_id = await keep(served, node("a", agent_id="Echo"))
    spoilt = {"config": {"configurable": {"flow": {"nodes": "none"}}}}
    await served.ok("PATCH", f"/assistants/{definition_id('flow', flow_id)}", json=spoilt)
    listed = await served.ok("GET", "/flows?limit=1000")
    assert [one["node_count"] for one in listed if one["flow_id"] == flow_id] == [0]
    assert await served.refused("POST", "/flows/execute", 409, json={"flow_id": flow_id})
    await served.ok("DELETE", f"/flows/{flow_id}", 204)


async def test_several_questions_are_answered_one_by_one(served: Served) -> None:
    flow_id = await keep(
        served,
        node("draft", agent_id="Echo"),
        node("one", "draft", type="human", config={"question": "first?"}),
        node("two", "draft", type="human", config={"question": "second?"}),
        {"id": "last", "depends_on": ["one", "two"], "agent_id": "Seen"},
    )
    asked = await run(served, flow_id)
    path = f"/executions/{asked['execution_id']}"
    ids = {one["value"]["question"]: one["id"] for one in asked["interrupts"]}
    assert set(ids) == {"first?", "second?"}
    assert ids["first?"] in await served.refused("POST", f"{path}/resume", 422, json={"answer": "which?"})
    for question in ids:
        await served.ok("POST", f"{path}/resume", 202, json={"answer": f"to {question}", "interrupt_id": ids[question]})
        name, told = (await heard(served, asked["execution_id"]))[-1]
    assert name == "result" and told["status"] == "COMPLETED"
    given = told["node_results"]["last"]["input"]
    assert "to first?" in json.dumps(given["one"]) and "to second?" in json.dumps(given["two"])
    assert len(await served.ok("GET", f"/executions?flow_id={flow_id}")) == 1


ODD = (
    None, True, 0, -1, 1.5, 1e308, 2**70, "", "a" * 300, "\0", "\ud83d", "../x", "%2f", [], {}, [[]], {"a": {}},
    "${input.x}", "${", "http://10.0.0.1/", "Echo", "sequential",
)  # fmt: skip


def oddly(value: Any, chance: random.Random) -> Any:
    """`value` with something odd in one place of it, or without one of its keys."""
    changed = json.loads(json.dumps(value))
    inner = changed
    while True:
        key = chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner))
        if not (isinstance(inner[key], dict | list) and inner[key] and chance.random() < 0.7):
            break
        inner = inner[key]
    if chance.random() < 0.8:
        inner[key] = chance.choice(ODD)
    else:
        del inner[key]
    return changed


async def test_odd_requests_are_answered_and_break_nothing(served: Served) -> None:
    good = flow(
        node("a", agent_id="Echo", config={"prompt": "${query}", "timeout": 5, "attempts": 1}),
        node("b", "a", capability="seeing", config={"input": {"k": "${a}"}}),
        metadata={"x": 1},
    )
    crew = {"crew_id": "odd", "agents": [{"agent_id": "x", "agent_class": "Echo", "config": {"attempts": 1}}]}
    await served.ok("PUT", "/api/v1/crew", 201, json=crew)
    await served.ok("POST", "/flows", 201, json=good)
    asked = {"query": "q", "metadata": {"own_thread": 1, "job_id": "x"}, "context": {"seed": 1}, "input_data": {"t": 1}}
    requests = (
        ("PUT", "/api/v1/crew", {**crew, "execution_mode": "parallel", "metadata": {}, "max_parallel_tasks": 2}),
        ("POST", "/flows", good),
        ("POST", "/flows/validate", good),
        ("POST", "/flows/execute", {**asked, "flow_id": good["flow_id"]}),
        ("POST", "/api/v1/crew/execute", {**asked, "crew_id": "odd"}),
        ("POST", "/api/v1/crew/cleanup", {"older_than_hours": 1_000, "dry_run": True}),
        ("POST", f"/executions/{uuid4()}/resume", {"answer": 1, "interrupt_id": "x"}),
    )
    chance, answered = random.Random(7), set()
    for _ in range(15):
        for method, path, body in requests:
            content = json.dumps(oddly(body, chance))
            response = await served.http.request(
                method, path, content=content, headers={"content-type": "application/json"}
            )
            assert response.status_code < 500, (method, path, content, response.text)
            answered.add((path, response.status_code))
    assert {("/flows", 201), ("/flows", 422), ("/api/v1/crew/execute", 202), ("/api/v1/crew/execute", 422)} <= answered
    for path in ("/executions", "/api/v1/crew/jobs", "/api/v1/crew", "/flows", "/monitoring/executions"):
        await served.ok("GET", path)
