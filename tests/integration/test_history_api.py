"""`/api/v1/history` over the whole application and real Postgres: runs of every door, found, shown and deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from nodes.memory import Memory, find_runs, remember, runs_of
from server.lab import TENANT
from server.run_queue.digest import figures_of
from server.wire.execute import ExecutionResult, ExecutionSummary
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

HISTORY = "/api/v1/history"
KEPT = """
WITH thread AS (
    INSERT INTO threads (thread_id, tenant_id, graph_id) VALUES (gen_random_uuid(), %(tenant)s, 'kept')
    RETURNING thread_id
)
INSERT INTO runs (run_id, tenant_id, thread_id, graph_id, status, worker_id, started_at, finished_at, created_at,
                  request, answer, figures, error, kwargs)
SELECT %(run_id)s, %(tenant)s, thread_id, %(graph)s, %(status)s, 1, now(), now(), %(at)s::timestamptz,
       %(request)s, %(answer)s, %(figures)s::jsonb, %(error)s, '{"context": {"model": "asked"}}'
FROM thread
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(postgres, tmp_path_factory.mktemp("history")) as opened:
        nodes = [
            {"id": "first", "agent_id": "Echo"},
            {"id": "ask", "type": "human", "depends_on": ["first"], "config": {"question": "good?"}},
        ]
        asks = {"flow_id": "asks", "nodes": nodes, "entry_point": "first", "exit_points": ["ask"]}
        await opened.ok("POST", "/flows", 201, json=asks)
        yield opened


async def kept(served: Served, request: str = "", answer: str | None = None, **more: Any) -> str:
    """A run that was, of its own thread."""
    values = {
        "run_id": uuid4(), "tenant": TENANT, "graph": "kept", "status": "success", "figures": None, "error": None,
        "at": "2026-01-01", "request": request, "answer": answer, **more,
    }  # fmt: skip
    async with served.lab.database.pool.connection() as connection:
        await connection.execute(KEPT.encode(), values)
    return str(values["run_id"])


async def page(served: Served, **params: Any) -> dict[str, Any]:
    told: dict[str, Any] = await served.ok("GET", HISTORY, params=params)
    for item in told["items"]:
        ExecutionSummary.model_validate(item)
    return told


async def ids(served: Served, **params: Any) -> list[str]:
    return [item["execution_id"] for item in (await page(served, **params))["items"]]


async def one(served: Served, execution_id: object) -> dict[str, Any]:
    told: dict[str, Any] = await served.ok("GET", f"{HISTORY}/{execution_id}")
    ExecutionResult.model_validate(told)
    return told


def nodes(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(node["node"], node["status"]) for node in told["nodes"]]


async def flow_run(served: Served, query: str, **more: Any) -> str:
    body = {"flow_id": "asks", "query": query, "wait": True, **more}
    return str((await served.ok("POST", "/flows/execute", json=body))["execution_id"])


async def test_an_execution_that_asked_is_one_with_the_run_that_was_answered(served: Served) -> None:
    asked = await flow_run(served, "shall we?", metadata={"who": "me"})
    waits = await one(served, asked)
    assert (waits["status"], waits["output"], waits["completed_at"]) == ("INTERRUPTED", None, None)
    assert nodes(waits) == [("first", "completed"), ("ask", "interrupted")] and waits["nodes"][0]["seconds"] > 0
    assert waits["interrupts"][0]["value"]["question"] == "good?" and waits["flow_state"]["next"] == ["ask"]
    assert await ids(served, status="interrupted", flow_id="asks") == [asked]
    assert await ids(served, q="shall we") == [asked]

    await served.ok("POST", f"/executions/{asked}/resume", 202, json={"answer": "certainly"})
    while (job := await served.ok("GET", f"/executions/{asked}"))["status"] != "COMPLETED":
        await asyncio.sleep(0.02)
    done = await one(served, asked)
    assert nodes(done) == [("first", "completed"), ("ask", "completed")]
    assert (done["execution_id"], done["run_id"], done["status"]) == (asked, job["run_id"], "COMPLETED")
    assert (done["prompt"], done["output"], done["execution_type"]) == ("shall we?", "certainly", "flow")
    assert (done["interrupts"], done["metadata"]) == ([], {"who": "me"})
    # Any of its runs finds it, and so does a word of each of them; a list has it once.
    assert done["run_id"] != asked and (await one(served, done["run_id"]))["execution_id"] == asked
    assert await ids(served, flow_id="asks") == [asked] and await ids(served, status="interrupted") == []
    assert await ids(served, q="shall certainly", status="Completed", execution_type="flow") == [asked]
    listed = (await page(served, flow_id="asks"))["items"][0]
    left_out = {"nodes", "flow_state"}
    assert listed == {name: value for name, value in done.items() if name not in left_out}
    assert listed["metrics"]["tokens_generated"] == 0 and listed["agents"] == ["Echo", "ask"]


async def test_runs_of_the_agent_server_are_there_with_steps_out_of_their_checkpoints(served: Served) -> None:
    assistants = await served.ok("POST", "/assistants/search", json={"graph_id": "flow", "limit": 100})
    assistant = next(each["assistant_id"] for each in assistants if each["metadata"].get("flow_id") == "asks")
    thread = await served.ok("POST", "/threads", json={})
    body = {"assistant_id": assistant, "input": {"messages": [{"role": "user", "content": "from a chat"}]}}
    await served.ok("POST", f"/threads/{thread['thread_id']}/runs/wait", json=body)
    (item,) = (await page(served, thread_id=thread["thread_id"]))["items"]
    assert (item["prompt"], item["status"]) == ("from a chat", "INTERRUPTED")
    told = await one(served, item["execution_id"])
    assert nodes(told) == [("begin", "completed"), ("first", "completed"), ("ask", "interrupted")]
    assert all(node["seconds"] >= 0 for node in told["nodes"][:2])
    # What waits is given up with it; the thread is its client's.
    await served.ok("DELETE", f"{HISTORY}/{item['execution_id']}", 204)
    assert await ids(served, thread_id=thread["thread_id"]) == []
    assert await served.ok("GET", f"/threads/{thread['thread_id']}")


async def test_runs_of_the_terminal_are_told_by_their_result_and_forgotten_when_deleted(served: Served) -> None:
    lab, thread = served.lab, uuid4()
    metrics = {"model_name": "demo", "strategy": "standard", "cache_hit": True, "tokens_generated": 7}
    result = {"output": "a\0b", "score": 0.9, "attempts": 1, "kind": "math", "language": "en", "metrics": metrics}
    cut = await lab.runs.begin(thread, "orchestrator", {"prompt": "typed in"}, {"model": "demo", "tools": ["clock"]})
    await lab.runs.finish(cut.run_id, "interrupted", waits=True)
    assert (await one(served, cut.run_id))["status"] == "INTERRUPTED"
    assert await ids(served, thread_id=str(thread), status="interrupted") == [str(cut.run_id)]
    resumed = await lab.runs.begin(thread, "orchestrator", {"prompt": None, "decision": "accept"})
    await lab.runs.finish(resumed.run_id, "success", result=result)
    told = await one(served, resumed.run_id)
    assert (told["execution_id"], told["run_id"]) == (str(cut.run_id), str(resumed.run_id))
    assert (told["status"], told["prompt"], told["output"]) == ("COMPLETED", "typed in", "a\ufffdb")
    assert (told["score"], told["kind"], told["model"], told["tools"]) == (0.9, "math", "demo", ["clock"])
    assert told["metrics"]["tokens_generated"] == 7 and told["nodes"] == []
    assert await ids(served, execution_type="orchestrator", model="demo", min_score=0.9, q="typed") == [str(cut.run_id)]

    store = lab.database.store_of(TENANT)
    await remember(store, runs_of(None), str(resumed.run_id), Memory(request="typed in", answer="x"))
    await served.ok("DELETE", f"{HISTORY}/{resumed.run_id}", 204)
    assert "there is no execution" in await served.refused("GET", f"{HISTORY}/{cut.run_id}", 404)
    assert (await served.http.get(f"/threads/{thread}")).status_code == 404
    assert await find_runs(store, runs_of(None), None, limit=10) == []


@pytest.mark.parametrize(
    "left", [{"metrics": {"model_name": 3}}, {"agents": 7, "metrics": []}, {"output": 5}, []], ids=str
)
async def test_states_of_strangers_are_told_in_the_same_shape(served: Served, left: Any) -> None:
    """`one` and `page` hold what is answered against the schema."""
    made = await kept(served, graph="odd", figures=(figures_of({"result": left}) or b"{}").decode())
    async with served.lab.database.pool.connection() as connection:
        odd = json.dumps({"context": {"model": 7, "tools": [1], "strategy": {}}, "stream_mode": "values"})
        statement = "UPDATE runs SET output = %s, kwargs = %s WHERE run_id = %s"
        await connection.execute(statement.encode(), (json.dumps({"result": left}), odd, made))
    assert (await one(served, made))["model"] is None
    assert made in await ids(served, graph="odd")


async def test_pages_go_on_where_they_were_while_runs_arrive(served: Served) -> None:
    was = [await kept(served, graph="paged") for _ in range(11)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        told = await page(served, graph="paged", limit=4, **({"cursor": cursor} if cursor else {}))
        seen += [item["execution_id"] for item in told["items"]]
        if (cursor := told["next_cursor"]) is None:
            break
        await kept(served, graph="paged")
    assert seen == was[::-1]
    assert len(await ids(served, graph="paged", limit=13)) == 13
    whole = await page(served, graph="paged", limit=13)
    assert whole["next_cursor"] is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("canción", ["es"]),
        ("CANCIÓN", ["es"]),
        ("write python", ["en"]),
        ('"a function"', ["en"]),
        ('"function a"', []),
        ("python -function", ["both"]),
        ("canción or function", ["en", "es"]),
        ("python", ["both", "en"]),
        ("42 canción", ["es"]),
        ("don't & | ! :* <-> ( \\ '", []),
        ('"', []),
        ("東京", ["ja"]),
        ("a\0b", []),
    ],
)
async def test_words_are_found_in_requests_and_answers(served: Served, words: str, found: list[str]) -> None:
    if not await ids(served, graph="said"):
        await kept(served, "Escribe una canción", "la la 42", graph="said", figures='{"language": "es"}')
        await kept(served, "write a function", "def f(): python", graph="said", figures='{"language": "en"}')
        await kept(served, "天気 東京", "晴れ", graph="said", figures='{"language": "ja"}')
        await kept(served, "python and snakes", None, graph="said", figures='{"language": "both"}')
    told = (await page(served, graph="said", q=words))["items"]
    assert sorted(item["language"] for item in told) == found


async def test_filters_choose_and_go_together(served: Served) -> None:
    early = await kept(served, "x" * 600, "y" * 600, graph="chosen", at="2026-02-01", figures='{"score": 0.5}')
    late = await kept(
        served, graph="chosen", at="2026-03-01T00:00:00+01:00", figures='{"metrics": {"model_name": "m"}}'
    )
    bad = await kept(served, graph="chosen", at="2026-04-01", status="error", error="ValueError: no")
    slow = await kept(served, graph="chosen", at="2026-04-01", status="timeout", error="TimedOut: slow")
    assert await ids(served, graph="chosen") == [slow, bad, late, early]
    for params, wanted in (
        ({"status": " failed "}, [slow, bad]),
        ({"status": "COMPLETED"}, [late, early]),
        ({"status": "RUNNING"}, []),
        ({"since": "2026-03-01"}, [slow, bad]),
        ({"since": "2026-02-28T23:00:00Z", "until": "2026-03-15"}, [late]),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00", "limit": 1}, [slow]),
        ({"min_score": 0.5}, [early]),
        ({"min_score": 0.6}, []),
        ({"model": "m"}, [late]),
        ({"model": "asked"}, [slow, bad, early]),
        ({"execution_type": "chosen"}, [slow, bad, late, early]),
        ({"execution_type": "simple"}, []),
        ({"crew_id": "none"}, []),
    ):
        assert await ids(served, graph="chosen", **params) == wanted, params
    items = {item["execution_id"]: item for item in (await page(served, graph="chosen"))["items"]}
    assert len(items[early]["prompt"]) == len(items[early]["output"]) == 500 and items[early]["prompt"].endswith("…")
    assert (items[slow]["status"], items[slow]["error"]) == ("FAILED", "TimedOut: slow")
    assert len((await one(served, early))["prompt"]) == 600


async def test_agents_named_for_one_execution_are_the_orchestrator_s(served: Served) -> None:
    body = {"prompt": "named", "execution_type": "orchestrator", "agents": ["Echo", "Seen"]}
    made = await served.ok("POST", "/api/v1/execute", json=body)
    assert await ids(served, execution_type="orchestrator") == [made["execution_id"]]
    assert await ids(served, execution_type="crew") == []
    told = await one(served, made["execution_id"])
    for name in ("execution_type", "prompt", "output", "agents", "nodes", "status", "flow_state"):
        assert told[name] == (made[name] if name != "prompt" else "named"), name


async def test_nobody_sees_or_deletes_another_tenant_s(served: Served) -> None:
    async with served.lab.database.pool.connection() as connection:
        await connection.execute("INSERT INTO tenants VALUES ('other') ON CONFLICT DO NOTHING")
    theirs = await kept(served, "secret words", tenant="other", graph="theirs")
    assert await ids(served, q="secret") == await ids(served, graph="theirs") == []
    await served.refused("GET", f"{HISTORY}/{theirs}", 404)
    await served.refused("DELETE", f"{HISTORY}/{theirs}", 404)
    assert await served.lab.histories.get("other", UUID(theirs))


async def test_what_is_in_flight_is_shown_and_stopped_before_it_is_deleted(served: Served) -> None:
    gate = served.folder / "never"
    crew = {"crew_id": "waits", "agents": [{"agent_id": "g", "agent_class": "Gate", "config": {"file": str(gate)}}]}
    await served.ok("PUT", "/api/v1/crew", 201, json=crew)
    job = await served.ok("POST", "/api/v1/crew/execute", 202, json={"crew_id": "waits", "query": "wait here"})
    running = await one(served, job["job_id"])
    while nodes(running) != [("g", "running")]:
        await asyncio.sleep(0.02)
        running = await one(served, job["job_id"])
    assert (running["status"], running["flow_state"]["current_node"]) == ("RUNNING", "g")
    assert await ids(served, q="wait here", status="RUNNING", crew_id="waits") == [job["job_id"]]
    await served.ok("DELETE", f"{HISTORY}/{job['job_id']}", 204)
    await served.refused("GET", f"/executions/{job['job_id']}", 404)
    assert (await served.http.get(f"/threads/{job['thread_id']}")).status_code == 404


async def test_a_run_of_a_terminal_is_left_to_it_and_one_that_lost_it_has_failed(served: Served) -> None:
    lab, thread = served.lab, uuid4()
    lease = await lab.runs.begin(thread, "direct", {"prompt": "in a terminal"})
    assert (await one(served, lease.run_id))["status"] == "RUNNING"
    assert "Ctrl-C" in await served.refused("DELETE", f"{HISTORY}/{lease.run_id}", 409)
    async with lab.database.pool.connection() as connection:  # as if that process were gone: nobody holds this lock
        await connection.execute("UPDATE runs SET worker_id = -5 WHERE run_id = %s", (lease.run_id,))
    told = await one(served, lease.run_id)
    assert (told["status"], told["error"]) == ("FAILED", "the process that ran it ended")
    assert await ids(served, status="failed", thread_id=str(thread)) == [str(lease.run_id)]
    await served.ok("DELETE", f"{HISTORY}/{lease.run_id}", 204)
    await served.refused("GET", f"{HISTORY}/{lease.run_id}", 404)


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"cursor": "nonsense"}, 422),
        ({"cursor": "\0"}, 422),
        ({"limit": "0"}, 422),
        ({"limit": "1001"}, 422),
        ({"status": "DONE"}, 422),
        ({"since": "yesterday"}, 422),
        ({"min_score": "nan"}, 422),
        ({"thread_id": "7"}, 422),
        ({"q": "x" * 2_001}, 422),
        ({"graph": "x" * 201}, 422),
        ({"q": "\0"}, 200),
        ({"graph": "\0"}, 200),
        ({"model": "a\0b"}, 200),
        ({"crew_id": "\0"}, 200),
        ({"flow_id": "\0", "execution_type": "\0"}, 200),
        ({"q": " or " * 400}, 200),
        ({"q": "(" * 1_900}, 200),
        ({"q": ""}, 200),
    ],
    ids=str,
)
async def test_odd_questions_are_answered_or_refused(served: Served, params: dict[str, str], status: int) -> None:
    response = await served.http.get(HISTORY, params=params)
    assert response.status_code == status, response.text
