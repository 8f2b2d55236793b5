"""`/api/v1/crew` as its clients use it: the whole application over real Postgres, agents in Python."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from server.cli.models.client import read_events
from server.definitions import definition_id
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("crews")
    async with serving(postgres, folder, allowed_networks=(ip_network("127.0.0.0/8"),)) as opened:
        yield opened


def agent(name: str, kind: str = "Echo", **config: Any) -> dict[str, Any]:
    return {"agent_id": name, "agent_class": kind, "config": {"attempts": 1, **config}}


async def keep(served: Served, *agents: Mapping[str, Any], **fields: Any) -> str:
    """The id of a crew of its own."""
    crew_id = uuid4().hex
    await served.ok("PUT", "/api/v1/crew", 201, json={"crew_id": crew_id, "agents": list(agents), **fields})
    return crew_id


async def run(served: Served, crew_id: str, query: str = "hello", **fields: Any) -> Any:
    """The job at its end."""
    body = {"crew_id": crew_id, "query": query, "wait": True, **fields}
    return await served.ok("POST", "/api/v1/crew/execute", json=body)


async def begin(served: Served, crew_id: str, **fields: Any) -> str:
    """The id of a job in the queue."""
    body = {"crew_id": crew_id, "query": "hello", **fields}
    made = await served.ok("POST", "/api/v1/crew/execute", 202, json=body)
    return str(made["job_id"])


async def until(served: Served, job_id: str, status: str, agents: int = 0) -> Any:
    """The job as soon as it stands so and that many agents had their turn."""
    async with asyncio.timeout(20):
        while True:
            job = await served.ok("GET", f"/api/v1/crew/jobs/{job_id}")
            if job["status"] == status and len(job["agents"]) >= agents:
                return job
            await asyncio.sleep(0.02)


async def heard(served: Served, job_id: str, **headers: str) -> list[tuple[str, Any]]:
    response = await served.http.get(f"/api/v1/crew/jobs/{job_id}/stream", headers=headers)
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    return list(read_events(iter(response.text.splitlines())))


async def test_a_crew_is_kept_changed_found_and_deleted(served: Served) -> None:
    crew = {"crew_id": "pair", "name": "A pair", "agents": [agent("one"), agent("two")], "execution_mode": "SEQUENTIAL"}
    made = await served.ok("PUT", "/api/v1/crew", 201, json=crew)
    assert (made["status"], made["version"], made["agents"]) == ("created", 1, ["one", "two"])
    assert made["assistant_id"] == str(definition_id("crew", "pair"))
    again = await served.ok("PUT", "/api/v1/crew/", json=crew)
    assert (again["status"], again["version"]) == ("updated", 1), "nothing has changed"
    changed = await served.ok("PUT", "/api/v1/crew", json={**crew, "execution_mode": "Parallel"})
    assert changed["version"] == 2

    shown = await served.ok("GET", "/api/v1/crew/pair")
    assert shown["execution_mode"] == "parallel" and shown["agents"][0]["agent_class"] == "Echo"
    assert (
        shown
        == await served.ok("GET", "/api/v1/crew?crew_id=pair")
        == await served.ok("GET", "/api/v1/crew?name=A pair")
    )
    response = await served.http.get("/api/v1/crew?limit=1000")
    assert "pair" in [one["crew_id"] for one in response.json()]
    assert response.headers["x-pagination-total"] == str(len(response.json()))

    # The same by the Agent Server's API: it is an assistant.
    assistant = await served.ok("GET", f"/assistants/{made['assistant_id']}")
    assert (assistant["graph_id"], assistant["version"], assistant["name"]) == ("crew", 2, "A pair")
    drawn = await served.ok("GET", f"/assistants/{made['assistant_id']}/graph")
    assert {"one", "two"} <= {node["id"] for node in drawn["nodes"]}

    await served.ok("DELETE", "/api/v1/crew/pair", 204)
    assert "there is no crew 'pair'" in await served.refused("DELETE", "/api/v1/crew?crew_id=pair", 404)
    assert "pair" not in [one["crew_id"] for one in await served.ok("GET", "/api/v1/crew?limit=1000")]


async def test_a_crew_that_many_keep_and_delete_at_once_is_kept(served: Served) -> None:
    crew_id, crew = uuid4().hex, {"agents": [agent("a")]}
    asked = [
        *(("PUT", "/api/v1/crew", {**crew, "crew_id": crew_id, "name": f"the {number % 3}."}) for number in range(12)),
        *(("DELETE", f"/api/v1/crew/{crew_id}", None) for _ in range(3)),
    ]
    answers = await asyncio.gather(*(served.http.request(method, path, json=body) for method, path, body in asked))
    assert {one.status_code for one in answers[:12]} <= {200, 201}
    assert {one.status_code for one in answers[12:]} <= {204, 404}


async def test_a_crew_without_an_id_is_given_one(served: Served) -> None:
    made = await served.ok("PUT", "/api/v1/crew", 201, json={"name": "nameless", "agents": [agent("a")]})
    await served.ok("DELETE", f"/api/v1/crew?crew_id={made['crew_id']}", 204)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"agents": []}, "agents"),
        ({"agents": [{"agent_id": "a", "agent_class": "Ecko"}]}, "Echo"),
        ({"agents": [{"agent_id": "a", "tools": ["hammer"]}]}, "calculator"),
        ({"agents": [{"agent_id": "a"}, {"agent_id": "a"}]}, "two agents 'a'"),
        ({"agents": [{"agent_id": "a", "klass": "x"}]}, "klass"),
        ({"crew_id": "a/b", "agents": [{"agent_id": "a"}]}, "cannot stand in a URL"),
        ({"crew_id": "jobs", "agents": [{"agent_id": "a"}]}, "is taken"),
        ([], "mapping"),
    ],
    ids=["nobody", "class", "tool", "twice", "key", "url", "taken", "list"],
)
async def test_a_crew_with_a_mistake_is_refused_with_what_is_wrong(served: Served, body: Any, told: str) -> None:
    assert told in await served.refused("PUT", "/api/v1/crew", 422, json=body)


async def test_bodies_that_are_none_are_refused(served: Served) -> None:
    plain = {"content-type": "text/plain"}
    await served.refused("PUT", "/api/v1/crew", 415, content="{}", headers=plain)
    as_json = {"content-type": "application/json"}
    await served.refused("PUT", "/api/v1/crew", 422, content='{"agents": [NaN]}', headers=as_json)
    await served.refused("POST", "/api/v1/crew/execute", 400, content="[" * 300 + "]" * 300, headers=as_json)
    assert "known are" in await served.refused(
        "POST", "/api/v1/crew/execute", 422, json={"crew_id": "a", "query": "b", "webhook": "c"}
    )


async def test_a_crew_that_names_an_agent_that_is_not_registered_is_refused(served: Served) -> None:
    body = {"agents": [agent("a", "HttpAgent", agent_id="zoe")]}
    assert "zoe" in await served.refused("PUT", "/api/v1/crew", 409, json=body)


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [("http://10.0.0.1:9/a", "blocked"), ("http://169.254.169.254", "blocked"),
     ("http://[::ffff:10.0.0.1]/", "blocked"),
     ("x", "endpoint")],
    ids=["private", "metadata", "mapped", "no-url"],
)  # fmt: skip
async def test_a_crew_with_an_agent_at_an_address_that_is_not_called_is_refused(
    served: Served, endpoint: str, told: str
) -> None:
    body = {"agents": [agent("a", "HttpAgent", endpoint=endpoint)]}
    assert told in await served.refused("PUT", "/api/v1/crew", 422, json=body)


async def test_a_crew_whose_agents_need_what_is_not_there_is_refused_with_what_is(served: Served) -> None:
    here = "http://127.0.0.1:9"
    for one, told in (
        (agent("a", "Chatbot", model="gpt-9"), "agents[0].config.model: no model named 'gpt-9'"),
        (agent("a", "evaluator", judge="gpt-9"), "agents[0].config.judge: no model named 'gpt-9'"),
        (
            agent("a", "graph", graph="rome"),
            "config.graph: there is no graph or assistant 'rome'; graphs are: ",
        ),
        (agent("a", "graph", assistant_id=str(uuid4())), "agents[0].config.assistant_id: there is no graph or assist"),
        (agent("a", "http", endpoint=here, agent_id="b"), "config has agent_id and endpoint; leave one of them out"),
        (
            agent("a", "http", endpoint=here, **{"Api-Key": "k3y"}),
            "config.Api-Key would be shown to whoever reads",
        ),
    ):
        detail = await served.refused("PUT", "/api/v1/crew", 422, json={"agents": [one]})
        assert told in detail and "k3y" not in detail
    decides = {"agents": [agent("a")], "execution_mode": "adaptive", "decision": {"model": "gpt-9"}}
    assert "decision.model: no model" in await served.refused("PUT", "/api/v1/crew", 422, json=decides)
    model = served.lab.models.default_model
    there = agent("a", "Chatbot", model=model), agent("b", "graph", graph="flow"), agent("c", "http", endpoint=here)
    await keep(served, *there)


async def test_an_agent_that_has_come_back_is_asked_before_anybody_has_looked_at_it_again(served: Served) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"output": {"response": "back"}}'
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    with socket.socket() as held:  # bound, and nobody listens
        held.bind(("127.0.0.1", 0))
        gone = {"agent_id": "gone", "endpoint": f"http://127.0.0.1:{held.getsockname()[1]}", "capabilities": ["return"]}
        await served.ok("POST", "/agents", 201, json=gone)
        assert (await served.ok("GET", "/agents/gone/health"))["status"] == "offline"
        crew_id = await keep(served, agent("a", "HttpAgent", agent_id="gone"))
        failed = await run(served, crew_id)
        assert failed["status"] == "FAILED" and "cannot be reached" in failed["error"]
        async with await asyncio.start_server(answer, sock=held):
            assert (await run(served, crew_id))["result"]["output"] == "back"
            assert (await served.ok("GET", "/agents/gone"))["status"] == "idle"


async def test_a_job_is_accepted_runs_and_tells_its_result(served: Served) -> None:
    crew_id = await keep(served, agent("one"), agent("two"), metadata={"team": 7})
    body = {"crew_id": crew_id, "query": "hello", "metadata": {"ticket": 1, "crew_id": "another's"}}
    response = await served.http.post("/api/v1/crew/execute", json=body)
    made = response.json()
    assert response.status_code == 202 and made["status"] == "PENDING"
    assert response.headers["location"] == f"/api/v1/crew/jobs/{made['job_id']}"

    job = await until(served, made["job_id"], "COMPLETED")
    assert job == await served.ok("PATCH", f"/api/v1/crew/job?job_id={made['job_id']}")
    assert (job["crew_id"], job["query"], job["metadata"], job["error"]) == (crew_id, "hello", {"ticket": 1}, None)
    result = job["result"]
    assert result["output"] == result["results"][-1] == "two: one: one: hello" and result["agent_ids"] == ["one", "two"]
    assert result["metadata"]["team"] == 7 and [each["status"] for each in result["agents"]] == ["completed"] * 2
    assert job["started_at"] <= job["completed_at"] and job["execution_time"] >= 0

    # A job is an execution, a run and a thread, too.
    execution = await served.ok("GET", f"/executions/{made['job_id']}")
    assert execution["crew_id"] == crew_id and set(execution["node_results"]) == {"one", "two"}
    kept = await served.ok("GET", f"/threads/{job['thread_id']}/runs/{made['job_id']}")
    assert kept["status"] == "success"


async def test_one_dead_agent_leaves_the_results_of_the_others(served: Served) -> None:
    crew_id = await keep(served, agent("well"), agent("dead", "Broken"), execution_mode="parallel")
    job = await run(served, crew_id)
    assert job["status"] == "COMPLETED" and job["result"]["agent_ids"] == ["well"]
    dead = next(each for each in job["result"]["agents"] if each["agent_id"] == "dead")
    assert dead["status"] == "failed" and "it is broken" in dead["error"]
    assert (dead["agent_name"], dead["agent_class"]) == ("dead", "Broken")


async def test_a_crew_whose_only_agent_is_dead_fails_and_says_why(served: Served) -> None:
    job = await run(served, await keep(served, agent("dead", "Broken")))
    assert (job["status"], job["result"]) == ("FAILED", None) and "it is broken" in job["error"]
    assert job["error"].count("dead: ") == 1, "its step is called like it"
    assert [each["status"] for each in job["agents"]] == ["failed"]
    name, last = (await heard(served, job["job_id"]))[-1]
    assert name == "error" and last["status"] == "FAILED" and "it is broken" in last["error"]


async def test_a_stream_tells_each_turn_and_the_result_and_resumes_after_an_event(served: Served) -> None:
    job_id = await begin(served, await keep(served, agent("one"), agent("two")))
    events = await heard(served, job_id)
    turns = [(data["step"], data["status"]) for name, data in events if name == "agent"]
    assert turns == [("one", "started"), ("one", "completed"), ("two", "started"), ("two", "completed")]
    assert events[-1][0] == "result" and events[-1][1]["result"]["output"] == "two: one: one: hello"

    ended = await served.http.get(f"/api/v1/crew/jobs/{job_id}/stream")
    ids = [line.removeprefix("id: ") for line in ended.text.splitlines() if line.startswith("id: ")]
    assert len(ids) == len(set(ids)) == len(events), "after its end it tells the same"
    rest = await heard(served, job_id, **{"Last-Event-ID": ids[2]})
    assert rest == events[3:]
    all_heard = await served.http.get(f"/api/v1/crew/jobs/{job_id}/stream", headers={"Last-Event-ID": ids[-1]})
    assert all_heard.status_code == 204


async def test_what_is_done_shows_while_the_job_runs_and_cancelling_ends_it(served: Served) -> None:
    never = str(served.folder / uuid4().hex)
    crew_id = await keep(served, agent("quick"), agent("slow", "Gate", file=never), execution_mode="parallel")
    job_id = await begin(served, crew_id)
    job = await until(served, job_id, "RUNNING", agents=1)
    assert [each["agent_id"] for each in job["agents"]] == ["quick"] and job["result"] is None
    assert (await served.ok("GET", f"/executions/{job_id}"))["node_results"]["quick"]["response"] == "quick: hello"

    cancelled = await served.ok("POST", f"/api/v1/crew/jobs/{job_id}/cancel")
    assert cancelled["status"] == "CANCELLED" and cancelled["completed_at"] is not None
    assert cancelled["error"] == "cancelled by a client"
    assert "CANCELLED" in await served.refused("POST", f"/api/v1/crew/jobs/{job_id}/cancel", 409)
    assert (await heard(served, job_id))[-1][0] == "error"


async def test_jobs_are_listed_by_crew_and_status_and_counted(served: Served) -> None:
    crew_id = await keep(served, agent("a"))
    jobs = [(await run(served, crew_id, f"number {number}"))["job_id"] for number in range(3)]
    mine = f"/api/v1/crew/jobs?crew_id={crew_id}"
    listed = await served.ok("GET", mine)
    assert [one["job_id"] for one in listed] == jobs[::-1] and listed[0]["query"] == "number 2"
    response = await served.http.get(f"{mine}&status=completed&limit=2")
    assert [one["job_id"] for one in response.json()] == jobs[:0:-1]
    assert (response.headers["x-pagination-total"], response.headers["x-pagination-next"]) == ("3", "2")
    assert await served.ok("GET", f"{mine}&status=FAILED") == []
    assert "COMPLETED" in await served.refused("GET", f"{mine}&status=DONE", 422)
    stats = await served.ok("GET", "/api/v1/crew/stats")
    assert stats["crews"] >= 1 and stats["jobs"]["by_status"]["COMPLETED"] >= 3
    assert stats["jobs"]["total"] == sum(stats["jobs"]["by_status"].values())


async def test_a_job_and_the_thread_made_for_it_are_deleted(served: Served) -> None:
    crew_id, thread_id = await keep(served, agent("a")), str(uuid4())
    job = await run(served, crew_id)
    await served.ok("DELETE", f"/api/v1/crew/jobs/{job['job_id']}", 204)
    assert "there is no job" in await served.refused("GET", f"/api/v1/crew/jobs/{job['job_id']}", 404)
    assert (await served.http.get(f"/threads/{job['thread_id']}")).status_code == 404

    mine = await run(served, crew_id, thread_id=thread_id)
    assert mine["thread_id"] == thread_id
    await served.ok("DELETE", f"/executions/{mine['job_id']}", 204)
    await served.ok("GET", f"/threads/{thread_id}")


async def test_a_running_job_is_stopped_before_it_is_deleted(served: Served) -> None:
    never = str(served.folder / uuid4().hex)
    job_id = await begin(served, await keep(served, agent("slow", "Gate", file=never)))
    await until(served, job_id, "RUNNING")
    await served.ok("DELETE", f"/api/v1/crew/jobs/{job_id}", 204)
    await served.refused("GET", f"/executions/{job_id}", 404)


async def test_clean_up_takes_jobs_that_ended_long_enough_ago(served: Served) -> None:
    crew_id = await keep(served, agent("a"))
    job = await run(served, crew_id)
    assert await served.ok("POST", "/api/v1/crew/cleanup") == {
        "deleted": 0, "matched": 0, "dry_run": False, "more": False, "job_ids": []
    }  # fmt: skip
    asked = {"older_than_hours": 0, "dry_run": True}
    would = await served.ok("POST", "/api/v1/crew/cleanup", json=asked)
    assert job["job_id"] in would["job_ids"] and would["deleted"] == 0
    done = await served.ok("POST", "/api/v1/crew/cleanup", json={**asked, "dry_run": False})
    assert done["job_ids"] == would["job_ids"] and done["deleted"] == len(would["job_ids"])
    assert await served.ok("GET", f"/api/v1/crew/jobs?crew_id={crew_id}") == []


async def test_a_job_goes_on_with_the_crew_as_it_was_when_it_began(served: Served) -> None:
    gate = served.folder / uuid4().hex
    crew_id = await keep(served, agent("slow", "Gate", file=str(gate)), agent("old"))
    job_id = await begin(served, crew_id)
    await served.ok("PUT", "/api/v1/crew", json={"crew_id": crew_id, "agents": [agent("new")]})
    gate.write_text("")
    job = await until(served, job_id, "COMPLETED")
    assert job["result"]["agent_ids"] == ["slow", "old"]
    assert (await run(served, crew_id))["result"]["agent_ids"] == ["new"]


async def test_settings_of_one_job_reach_it_and_unknown_ones_are_refused(served: Served) -> None:
    crew_id = await keep(served, agent("a"))
    job = await run(served, crew_id, context={"model": "demo", "temperature": 0.5})
    assert job["status"] == "COMPLETED" and job["result"]["agent_ids"] == ["a"]
    body = {"crew_id": crew_id, "query": "q"}
    wrong = {**body, "context": {"modle": "demo"}}
    assert "modle" in await served.refused("POST", "/api/v1/crew/execute", 422, json=wrong)
    await served.refused("POST", "/api/v1/crew/execute", 404, json={**body, "context": {"model": "no-such-model"}})


async def test_what_a_job_needs_is_checked_before_it_is_accepted(served: Served) -> None:
    execute = "/api/v1/crew/execute"
    assert "there is no crew" in await served.refused("POST", execute, 404, json={"crew_id": "x", "query": "q"})
    crew_id = await keep(served, agent("a"))
    body = {"crew_id": crew_id, "query": "q"}
    assert "query" in await served.refused("POST", execute, 422, json={**body, "query": ""})
    private = {**body, "webhook_url": "http://10.0.0.1/told"}
    assert "private IP range" in await served.refused("POST", execute, 422, json=private)
    thread = await served.ok("POST", "/threads", json={"metadata": {"graph_id": "orchestrator"}})
    other = {**body, "thread_id": thread["thread_id"]}
    assert "orchestrator" in await served.refused("POST", execute, 409, json=other)
    assert await served.ok("GET", f"/api/v1/crew/jobs?crew_id={crew_id}") == []


@pytest.mark.parametrize(
    "path", ["/api/v1/crew/jobs/x", "/executions/x", "/executions/x/messages", "/executions/x/stream"]
)
async def test_an_id_that_is_none_is_refused(served: Served, path: str) -> None:
    await served.refused("GET", path, 422)
    await served.refused("GET", path.replace("/x", f"/{uuid4()}"), 404)


async def test_a_path_beside_those_of_crews_is_refused_as_theirs_are(served: Served) -> None:
    await served.refused("GET", "/api/v1/crews", 404)
    await served.refused("POST", "/api/v1", 404)


async def test_a_job_starts_when_it_is_claimed(served: Served) -> None:
    gate, thread_id = served.folder / uuid4().hex, str(uuid4())
    crew_id = await keep(served, agent("slow", "Gate", file=str(gate)))
    first, second = [await begin(served, crew_id, thread_id=thread_id) for _ in range(2)]
    waiting = await until(served, second, "PENDING")
    assert (waiting["started_at"], waiting["execution_time"]) == (None, None)
    gate.write_text("")
    done, before = await until(served, second, "COMPLETED"), await until(served, first, "COMPLETED")
    assert done["created_at"] < before["completed_at"] <= done["started_at"] <= done["completed_at"]
    started, ended = (datetime.fromisoformat(done[key]) for key in ("started_at", "completed_at"))
    assert done["execution_time"] == pytest.approx((ended - started).total_seconds(), abs=0.001)


async def test_hidden_separators_and_odd_ids_are_refused(served: Served) -> None:
    await served.refused("GET", "/api/v1/crew/..%2fjobs", 422)
    await served.refused("GET", "/api/v1/crew/%00", 404)
    await served.refused("GET", f"/api/v1/crew?crew_id={'x' * 201}", 422)
    await served.refused("PATCH", "/api/v1/crew/job", 422)


@asynccontextmanager
async def hearing() -> AsyncIterator[tuple[str, asyncio.Queue[Any]]]:
    """A webhook's address, and the bodies that it is told."""
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(next(line for line in head.lower().splitlines() if line.startswith("content-length"))[15:])
        told.put_nowait(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server, asyncio.timeout(20):
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/told", told


def untimed(job: Mapping[str, Any]) -> dict[str, Any]:
    return {**job, **dict.fromkeys(("completed_at", "execution_time", "started_at"))}


async def test_the_webhook_is_told_the_job_as_it_is_shown(served: Served) -> None:
    async with hearing() as (url, told):
        job = await run(served, await keep(served, agent("a")), webhook_url=url)
        assert untimed(await told.get()) == untimed(job)


async def test_the_webhook_is_told_once_of_a_job_that_was_cancelled_in_the_queue(served: Served) -> None:
    never, thread_id = str(served.folder / uuid4().hex), str(uuid4())
    crew_id = await keep(served, agent("slow", "Gate", file=never))
    first = await begin(served, crew_id, thread_id=thread_id)
    async with hearing() as (url, told):
        second = await begin(served, crew_id, thread_id=thread_id, webhook_url=url)
        path = f"/api/v1/crew/jobs/{second}/cancel"
        await asyncio.gather(*(served.http.post(path) for _ in range(3)))
        job = await served.ok("GET", f"/api/v1/crew/jobs/{second}")
        assert (job["status"], job["error"], job["started_at"]) == ("CANCELLED", "cancelled before it began", None)
        assert untimed(await told.get()) == untimed(job)
        await served.ok("POST", f"/api/v1/crew/jobs/{first}/cancel")
        # What is left to be told is told in the order in which it was left.
        await run(served, await keep(served, agent("a")), webhook_url=url)
        assert (await told.get())["status"] == "COMPLETED"


async def test_the_webhook_is_told_of_a_question_and_that_nobody_answered_it(served: Served) -> None:
    flow = {"flow_id": f"f{uuid4().hex}", "nodes": [{"id": "ask", "type": "human", "config": {"question": "?"}}]}
    await served.ok("POST", "/flows", 201, json={**flow, "entry_point": "ask", "exit_points": ["ask"]})
    async with hearing() as (url, told):
        body = {"flow_id": flow["flow_id"], "wait": True, "webhook_url": url}
        asked = await served.ok("POST", "/flows/execute", json=body)
        assert (await told.get())["status"] == "INTERRUPTED"
        cancelled = await served.ok("POST", f"/executions/{asked['execution_id']}/cancel")
        assert untimed(await told.get()) == untimed(cancelled)


async def test_metadata_that_every_list_would_tell_are_bounded(served: Served) -> None:
    body = {"crew_id": "any", "query": "q", "metadata": {"big": "x" * 70_000}}
    assert "65536" in await served.refused("POST", "/api/v1/crew/execute", 422, json=body)


async def test_a_run_of_the_sdk_is_a_job_too(served: Served) -> None:
    crew_id = await keep(served, agent("a"))
    assistant_id = str(definition_id("crew", crew_id))
    made = await served.ok("POST", "/runs/wait", json={"assistant_id": assistant_id, "input": {"query": "by hand"}})
    assert made["result"]["output"] == "a: by hand"
    body = {"assistant_id": assistant_id, "input": {"query": "with settings"}, "context": {"temperature": 0.5}}
    assert (await served.ok("POST", "/runs/wait", json=body))["result"]["output"] == "a: with settings"
    thread = await served.ok("POST", "/threads", json={})
    body = {"assistant_id": assistant_id, "input": {"messages": [{"role": "user", "content": "said"}]}}
    output = await served.ok("POST", f"/threads/{thread['thread_id']}/runs/wait", json=body)
    listed = await served.ok("GET", f"/api/v1/crew/jobs?crew_id={crew_id}")
    assert output["result"]["output"] == "a: said" and thread["thread_id"] in [one["thread_id"] for one in listed]
