"""One request on the whole application: what its log lines share, what its answers say, and who may ask."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from server.settings import Settings
from server.telemetry.logs import LogWriter, open_logs
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGINS = ["http://localhost:3000", "http://localhost:8001"]


@dataclass(frozen=True)
class Logged:
    """The application, and what it has said in the log."""

    served: Served
    stderr: io.StringIO
    logs: LogWriter

    def lines(self, **wanted: str) -> list[dict[str, Any]]:
        """The lines with these fields."""
        self.logs.flush()
        lines = [json.loads(line) for line in self.stderr.getvalue().splitlines()]
        return [line for line in lines if wanted.items() <= line.items()]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def logged(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Logged]:
    stderr = io.StringIO()
    with redirect_stderr(stderr), open_logs(Settings(log_format="json"), "serve") as logs:
        async with serving(postgres, tmp_path_factory.mktemp("log_ids"), max_concurrent=1) as served:
            await served.ok("POST", "/agents", 201, json={"agent_id": "bert", "agent_class": "Broken"})
            yield Logged(served, stderr, logs)


async def test_the_lines_of_one_request_its_run_its_node_and_its_agent_share_their_ids(logged: Logged) -> None:
    body = {"prompt": "hi", "execution_type": "orchestrator", "agents": ["bert"]}
    answer = await logged.served.http.post("/api/v1/execute", json=body)
    execution_id = answer.headers["x-execution-id"]
    lines = {line["logger"]: line for line in logged.lines(execution_id=execution_id)}
    request, run = lines["server.access"], lines["server.run_queue.executor"]
    agent = lines["nodes.agents.calling"]
    assert request["path"] == "/api/v1/execute" and request["status"] == answer.status_code
    assert run["run_id"] == agent["run_id"] == execution_id
    assert run["worker"] == agent["worker"] and run["graph"] == agent["graph"]
    assert UUID(run["thread_id"]) == UUID(agent["thread_id"])
    assert agent["agent_id"] == "bert" and agent["node"] and "it is broken" in agent["exception"]
    assert "node" not in run and "thread_id" not in request


async def test_a_request_names_the_run_that_it_has_made(logged: Logged) -> None:
    crew = {"crew_id": uuid4().hex, "agents": [{"agent_id": "a", "agent_class": "Echo"}]}
    await logged.served.ok("PUT", "/api/v1/crew", 201, json=crew)
    asked = {"crew_id": crew["crew_id"], "query": "hello", "wait": True}
    job = await logged.served.ok("POST", "/api/v1/crew/execute", json=asked)
    [request] = logged.lines(logger="server.access", run_id=job["job_id"])
    [run] = logged.lines(logger="server.run_queue.executor", run_id=job["job_id"])
    assert request["path"] == "/api/v1/crew/execute" and run["status"] == "success"


async def test_one_more_than_the_bound_is_told_to_come_again(logged: Logged) -> None:
    http, file = logged.served.http, logged.served.folder / "go"
    gate = {"agent_id": "gate", "agent_class": "Gate", "config": {"file": str(file)}}
    await logged.served.ok("POST", "/agents", 201, json=gate)
    body = {"prompt": "hi", "execution_type": "orchestrator", "agents": ["gate"]}
    async with asyncio.TaskGroup() as group:
        first = group.create_task(http.post("/api/v1/execute", json=body))
        while (await logged.served.ok("GET", "/agents/gate"))["status"] != "busy":
            await asyncio.sleep(0.01)
        second = await http.post("/api/v1/execute", json=body)
        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert (await http.get("/health")).status_code == 200
        file.touch()
    assert (await first).status_code == 200


@pytest.mark.parametrize("origin", ORIGINS)
async def test_the_front_ends_of_the_seeds_may_execute(logged: Logged, origin: str) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    before = await logged.served.http.options("/api/v1/execute", headers={"origin": origin, **asks})
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == origin
    assert "POST" in before.headers["access-control-allow-methods"]
    assert "content-type" in before.headers["access-control-allow-headers"]
    answer = await logged.served.http.post("/api/v1/execute", json={"prompt": ""}, headers={"origin": origin})
    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-execution-id" in answer.headers["access-control-expose-headers"]


async def test_other_pages_may_not_even_ask(logged: Logged) -> None:
    for method in ("OPTIONS", "POST"):
        headers = {"origin": "http://localhost:3001", "access-control-request-method": "POST"}
        answer = await logged.served.http.request(method, "/api/v1/execute", headers=headers)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert answer.json()["execution_id"] == answer.headers["x-execution-id"]


TEXT = {"content-type": "text/plain"}
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"prompt": "hi"}', TEXT, 415),
        (b'{"prompt": "hi"}', {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"[" * 300 + b"]" * 300, JSON, 400),
        (b'{"prompt": "hi", "temperature": NaN}', JSON, 422),
        (b'{"prompt": "\\ud800"}', JSON, 422),
        (b'{"prompt": "hi", "seed": 1e999}', JSON, 422),
        (b'{"prompt": "hi", "max_tokens": 99999999999999999999999999}', JSON, 422),
        (b'{"prompt": {"lc": 1}}', JSON, 422),
        (b'{"prompt": ["\xff"]}', JSON, 422),
        (b"null", JSON, 422),
        (b"", JSON, 422),
    ],
    ids=["text", "form", "deep", "nan", "surrogate", "infinite", "huge", "object", "latin", "null", "empty"],
)
@pytest.mark.parametrize("path", ["/inference", "/orchestrate", "/api/v1/execute"])
async def test_odd_bodies_are_the_clients_problem(
    logged: Logged, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    await logged.served.refused("POST", path, status, content=body, headers=headers)


async def test_an_order_about_a_model_has_a_body_of_its_kind_or_none(logged: Logged) -> None:
    for path in ("/models/demo/load", "/models/demo/unload"):
        await logged.served.refused("POST", path, 415, content="{}", headers=TEXT)
        await logged.served.refused("POST", path, 422, json={"strategy": "none of ours"})
        await logged.served.refused("POST", path, 400, content="[" * 300 + "]" * 300, headers=JSON)
    assert await logged.served.ok("POST", "/models/demo/unload") == {"unloaded": 0}
