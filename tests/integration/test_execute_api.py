"""`POST /api/v1/execute` over the whole application and real Postgres; agents in Python, no model is loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from server.wire.execute import ExecutionResult
from tests.integration.served import Served, serving
from tests.unit.llm.tiny import save_slow_models

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXECUTE = "/api/v1/execute"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("execute")
    async with serving(postgres, folder, allowed_networks=(ip_network("127.0.0.0/8"),)) as opened:
        # Two that fail: the breaker rests each after five attempts.
        for name in ("bad", "worse"):
            await opened.ok("POST", "/agents", 201, json={"agent_id": name, "agent_class": "Broken"})
        yield opened


def asking(*agents: str, **more: Any) -> dict[str, Any]:
    return {"prompt": "hello", "execution_type": "orchestrator", "agents": list(agents), **more}


async def test_agents_are_asked_one_after_the_other_and_told_as_nodes(served: Served) -> None:
    response = await served.http.post(EXECUTE, json=asking("Echo", "Seen", metadata={"who": "me"}))
    told = response.json()
    assert response.status_code == 200, told
    ExecutionResult.model_validate(told)
    assert response.headers["location"] == f"/api/v1/history/{told['execution_id']}"
    assert response.headers["x-execution-id"] == told["execution_id"] == told["run_id"]
    assert (told["status"], told["execution_type"], told["output"]) == ("COMPLETED", "orchestrator", "seen")
    assert (told["agents"], told["metadata"]) == (["Echo", "Seen"], {"who": "me"})
    assert [(node["node"], node["status"]) for node in told["nodes"]] == [
        (name, "completed") for name in ("begin", "Echo", "Seen", "finish")
    ]
    assert told["flow_state"]["completed_nodes"] == ["begin", "Echo", "Seen", "finish"]
    # It is a job as others are, too.
    job = await served.ok("GET", f"/executions/{told['execution_id']}")
    assert (job["status"], job["query"]) == ("COMPLETED", "hello")
    assert job["agents"][0]["agent_id"] == "Echo"


async def test_an_agent_that_fails_is_passed_over_and_said_to_have_failed(served: Served) -> None:
    told = await served.ok("POST", f"{EXECUTE}/", json=asking("bad", "Echo"))
    assert told["output"] == "Echo: hello"
    failed = told["nodes"][1]
    assert (failed["node"], failed["status"]) == ("bad", "failed") and "it is broken" in failed["error"]
    assert told["flow_state"]["failed_nodes"] == ["bad"]


async def test_a_failure_of_all_is_a_problem_with_its_execution_id(served: Served) -> None:
    response = await served.http.post(EXECUTE, json=asking("worse"))
    told = response.json()
    assert (response.status_code, told["status"]) == (503, 503)
    assert response.headers["content-type"] == "application/problem+json"
    assert "it is broken" in told["detail"]
    assert (await served.ok("GET", f"/executions/{told['execution_id']}"))["status"] == "FAILED"


async def test_a_stream_tells_what_the_run_s_own_stream_tells(served: Served) -> None:
    accept = {"Accept": "text/event-stream"}
    for body, headers in ((asking("Echo", stream=True), {}), (asking("bad"), accept)):
        async with served.http.stream("POST", EXECUTE, json=body, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            told = [line async for line in response.aiter_lines() if line]
        names = [line.removeprefix("event: ") for line in told if line.startswith("event: ")]
        assert names[:3] == ["metadata", "run", "node_start"]
        assert names[-1] == ("error" if "bad" in body["agents"] else "result")
        ids = [int(line.removeprefix("id: ")) for line in told if line.startswith("id: ")]
        assert ids == list(range(1, len(names) + 1))
        run_id = response.headers["x-execution-id"]
        async with served.http.stream("GET", f"/runs/{run_id}/stream", headers={"Last-Event-ID": "-1"}) as again:
            assert [line async for line in again.aiter_lines() if line] == told


async def test_one_in_the_background_is_accepted_at_once_and_told_of_later(served: Served) -> None:
    folder = served.folder / "gates"
    folder.mkdir()
    agent = {"agent_id": "gate", "agent_class": "Gate", "config": {"file": str(folder / "open")}}
    await served.ok("POST", "/agents", 201, json=agent)
    response = await served.http.post(EXECUTE, json=asking("gate", background=True))
    told = response.json()
    assert (response.status_code, told["status"]) == (202, "PENDING")
    assert response.headers["location"] == f"/api/v1/history/{told['execution_id']}"
    assert (await served.ok("GET", f"/executions/{told['execution_id']}"))["status"] in ("PENDING", "RUNNING")
    (folder / "open").touch()
    ended = await served.ok("GET", f"/runs/{told['run_id']}/join")
    assert ended["result"]["output"] == "open"


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        pytest.param(asking("Ecko"), 404, "did you mean: Echo?", id="unknown agent"),
        pytest.param(asking("Echo", model="nope"), 404, "Known models: demo", id="unknown model"),
        pytest.param({"prompt": "hello", "model": "nope"}, 404, "Known models: demo", id="unknown model, simple"),
        pytest.param(asking(tools=["hammer"]), 422, "there is no tool 'hammer'", id="unknown tool"),
        pytest.param(asking("analyzer", "Echo"), 422, "agents: 'analyzer'", id="a mixture"),
        pytest.param({"prompt": "hello", "agents": ["Echo"]}, 422, "agents: execution_type 'simple'", id="simple"),
        pytest.param({"prompt": "hello", "promt": "x"}, 422, "promt: this key is not known", id="misspelt"),
        pytest.param(asking("Echo", webhook_url="http://10.0.0.1/"), 422, "private IP range", id="webhook"),
        pytest.param({}, 422, "prompt", id="nothing"),
        pytest.param([], 422, "body", id="a list"),
    ],
)
async def test_a_refusal_is_a_problem_and_makes_no_run(served: Served, body: Any, status: int, said: str) -> None:
    before = len(await served.ok("GET", "/executions"))
    response = await served.http.post(EXECUTE, json=body)
    told = response.json()
    assert (response.status_code, told["status"]) == (status, status), json.dumps(told)
    assert response.headers["content-type"] == "application/problem+json"
    assert said in told["detail"] and UUID(told["execution_id"])
    assert len(await served.ok("GET", "/executions")) == before


async def test_a_request_that_takes_too_long_is_cut_and_lets_its_model_go(postgres: str, tmp_path: Path) -> None:
    slow = {"prompt": "Hello", "model": "slow"}
    async with serving(postgres, tmp_path, models_file=save_slow_models(tmp_path), request_timeout=1.0) as served:
        await served.ok("POST", "/models/slow/load", json={})
        for path in ("/inference", "/orchestrate", EXECUTE):
            response = await served.http.post(path, json=slow)
            told = response.json()
            assert (response.status_code, told["status"]) == (504, 504) and "LAB_REQUEST_TIMEOUT" in told["detail"]
            assert response.headers["content-type"] == "application/problem+json"
            kept = await served.ok("GET", f"/api/v1/history/{told['execution_id']}")
            assert kept["status"] == "FAILED" and kept["nodes"][-1]["status"] == "failed"
        streamed = await served.http.post(EXECUTE, json={**slow, "stream": True})
        assert "event: error\r\ndata: " in streamed.text and '"status":504' in streamed.text
        assert streamed.headers["x-execution-id"] in streamed.text
        async with asyncio.timeout(20):
            while any(model["leases"] for model in (await served.ok("GET", "/cache"))["models"]):
                await asyncio.sleep(0.02)
