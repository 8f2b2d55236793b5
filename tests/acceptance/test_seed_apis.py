"""Every endpoint of the seeds' lab API and backend API, as their front ends call them, against a live server.

The names of fields are those that the seeds print. `server/README.md` has the table of endpoints and routes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import Process

SEED_METRICS = {
    "cache_hit": bool,
    "load_time_sec": float,
    "inference_time_sec": float,
    "total_time_sec": float,
    "tokens_generated": int,
    "gpu_memory_used_gb": float,
    "model_name": str,
    "strategy": str,
}
SUM = "What is 17 + 25?"
STREAM = {"Accept": "text/event-stream"}
JSON = {"Accept": "application/json"}
LONG = {"prompt": "Hello", "model": "slow"}
EXECUTE = "/api/v1/execute"


@pytest.fixture(scope="module")
def client(shared_server: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.address(), timeout=60) as client:
        yield client


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, f"{response.request.url}: {response.status_code} {response.text}"
    return response.json() if response.content else None


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Problem details, with the execution id that the headers tell, too."""
    told: dict[str, Any] = ok(response, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert told["status"] == status and told["title"] and told["detail"] and "\n" not in told["detail"]
    assert told["execution_id"] == response.headers["x-execution-id"]
    return told


def read_events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def check_metrics(metrics: dict[str, Any]) -> None:
    found = {name: type(metrics[name]) for name in SEED_METRICS}
    assert found == SEED_METRICS


def leases(client: httpx.Client) -> int:
    return sum(model["leases"] for model in ok(client.get("/cache"))["models"])


def until(condition: Callable[[], bool]) -> None:
    """Look again and again; each look asks the server, so that a thousand of them are some seconds."""
    for _ in range(3_000):
        if condition():
            return
    raise AssertionError("it never happened")


def test_inference_takes_the_seed_s_fields_and_the_second_call_finds_the_model_in_memory(client: httpx.Client) -> None:
    ok(client.post("/cache/clear"))
    body = {"prompt": SUM, "model": "demo", "strategy": "standard", "max_tokens": 64, "temperature": 0.0}
    first, second = ok(client.post("/inference", json=body)), ok(client.post("/inference/", json=body))
    for told in (first, second):
        check_metrics(told["metrics"])
        assert (told["model"], told["strategy"]) == ("demo", "standard") and told["output"]
        assert (told["metrics"]["model_name"], told["metrics"]["strategy"]) == ("demo", "standard")
    assert first["metrics"]["cache_hit"] is False and second["metrics"]["cache_hit"] is True
    assert second["metrics"]["load_time_sec"] < 0.01 < first["metrics"]["load_time_sec"]
    nested = {"prompt": SUM, "parameters": {name: body[name] for name in ("model", "max_tokens", "temperature")}}
    assert ok(client.post("/inference", json=nested))["output"] == first["output"]


def test_orchestrate_answers_as_json_or_as_events(client: httpx.Client) -> None:
    body = {"prompt": SUM, "model": "demo", "parameters": {"max_tokens": 128, "temperature": 0}}
    whole = ok(client.post("/orchestrate/", json=body))
    assert (whole["status"], whole["score"], whole["attempts"]) == ("success", 1.0, 1) and "42" in whole["output"]
    check_metrics(whole["metrics"])
    with client.stream("POST", "/orchestrate", json=body, headers=STREAM) as response:
        events = list(read_events(response))
    names = [name for name, _ in events]
    assert names[:2] == ["metadata", "run"] and names[-1] == "result" and {"model", "token"} <= set(names)
    assert [data["node"] for name, data in events if name == "node_end"][-1] == "summarise"
    assert events[-1][1]["output"] == whole["output"]


def test_the_cache_is_shown_emptied_and_unloaded_from(client: httpx.Client) -> None:
    ok(client.post("/inference", json={"prompt": SUM, "model": "demo", "max_tokens": 1}))
    status = ok(client.get("/cache"))
    (demo,) = [model for model in status["models"] if model["model_key"] == "demo"]
    assert (demo["strategy"], demo["leases"]) == ("standard", 0) and demo["last_used_at"]
    assert 0 < demo["size_bytes"] <= status["total_bytes"] <= status["budget_bytes"]
    assert status["misses"] >= 1 and 0.0 <= status["hit_rate"] <= 1.0
    assert ok(client.delete("/cache/demo"))["unloaded"] == 1
    assert "not in memory" in problem(client.delete("/cache/demo/"), 404)["detail"]
    assert "no-such-model" in problem(client.delete("/cache/no-such-model"), 404)["detail"]
    assert ok(client.post("/cache/clear/"))["kept"] == []
    assert ok(client.get("/cache/"))["models"] == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/", {"name", "version", "status", "docs", "endpoints"}),
        ("/health", {"status", "version", "uptime_sec", "database", "device", "system", "memory"}),
        ("/cache", {"models", "total_bytes", "budget_bytes", "hits", "misses", "hit_rate"}),
        ("/api/v1/health", {"status", "version", "timestamp", "uptime_sec"}),
        ("/api/v1/health/detailed", {"status", "components"}),
        ("/api/v1/ready", {"ready"}),
        ("/api/v1/models", {"models", "default_model", "default_strategy", "strategies"}),
        ("/api/v1/metrics", {"system", "executions", "cache", "tokens", "requests"}),
        ("/api/v1/history", {"items", "next_cursor"}),
    ],
)
def test_each_state_of_the_system_is_told_with_and_without_a_slash(
    client: httpx.Client, path: str, fields: set[str]
) -> None:
    told = ok(client.get(path))
    assert fields <= told.keys()
    assert ok(client.get(f"{path.rstrip('/')}/")).keys() == told.keys()


def test_the_system_tells_its_models_components_and_figures(client: httpx.Client) -> None:
    models = ok(client.get("/models"))
    assert models == ok(client.get("/models/"))
    assert {"name", "description", "context_length", "loaded", "fits"} <= models[0].keys()
    assert [model["name"] for model in ok(client.get("/api/v1/models"))["models"]] == [one["name"] for one in models]
    components = ok(client.get("/api/v1/health/detailed"))["components"]
    assert {"database", "run_queue", "worker", "models"} <= components.keys()
    assert all(component["latency_ms"] >= 0 for component in components.values())
    device = ok(client.get("/health"))["device"]
    assert {"kind", "gpu_available", "gpu_memory_total_gb", "gpu_memory_used_gb"} <= device.keys()
    endpoints = ok(client.get("/"))["endpoints"]
    assert {"/inference", "/orchestrate", "/models", "/cache", "/metrics", EXECUTE} <= set(endpoints.values())


def test_metrics_are_for_prometheus_unless_json_is_asked_for(client: httpx.Client) -> None:
    text = client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain") and "# TYPE lab_" in text.text
    told = ok(client.get("/metrics/", headers=JSON))
    assert told.keys() == ok(client.get("/api/v1/metrics/")).keys()
    assert {"gpu_memory_used_gb", "cpu", "memory"} <= told["system"].keys()
    assert {"hits", "misses", "load_time_sec"} <= told["cache"].keys()


def test_a_simple_execution_is_one_call_of_one_model(client: httpx.Client) -> None:
    body = {"prompt": SUM, "execution_type": "simple", "agents": [], "tools": [], "parameters": {"max_tokens": 64}}
    response = client.post(EXECUTE, json=body)
    told = ok(response)
    assert (told["status"], told["execution_type"], told["prompt"]) == ("COMPLETED", "simple", SUM)
    assert told["execution_id"] == told["run_id"] == response.headers["x-execution-id"]
    check_metrics(told["metrics"])
    assert [(node["node"], node["status"]) for node in told["nodes"]] == [("answer", "completed")]
    assert told["flow_state"]["completed_nodes"] == ["answer"] and told["flow_state"]["next"] == []
    assert (told["model"], told["strategy"], told["error"]) == ("demo", "standard", None)
    assert ok(client.get(response.headers["location"])) == told


def test_an_orchestrated_execution_tells_its_nodes(client: httpx.Client) -> None:
    workers = ["analyzer", "monitor", "executor", "validator"]
    body = {"prompt": SUM, "execution_type": "orchestrator", "agents": workers, "tools": ["calculator"]}
    told = ok(client.post(f"{EXECUTE}/", json={**body, "model": "demo"}))
    assert (told["status"], told["execution_type"], told["kind"]) == ("COMPLETED", "orchestrator", "math")
    assert (told["score"], told["attempts"], told["tools"]) == (1.0, 1, ["calculator"]) and "42" in told["output"]
    check_metrics(told["metrics"])
    nodes = [node["node"] for node in told["nodes"]]
    assert nodes[:3] == ["read_history", "analyze_task", "monitor_resources"] and nodes[-1] == "summarise"
    assert {"execute", "call_tools", "validate_answer"} <= set(nodes)
    assert all(node["seconds"] >= 0 and node["status"] == "completed" for node in told["nodes"])


def test_registered_agents_are_asked_one_after_the_other(client: httpx.Client) -> None:
    body = {"prompt": SUM, "execution_type": "orchestrator", "agents": ["researcher", "writer"], "max_tokens": 32}
    told = ok(client.post(EXECUTE, json=body))
    assert (told["status"], told["agents"], told["model"]) == ("COMPLETED", ["researcher", "writer"], "demo")
    assert [node["node"] for node in told["nodes"]][1:-1] == ["researcher", "writer"]
    assert told["metrics"].keys() >= SEED_METRICS.keys() and told["metrics"]["tokens_generated"] > 0
    with client.stream("POST", EXECUTE, json={**body, "stream": True}) as response:
        events = list(read_events(response))
    assert {data["node"] for name, data in events if name == "token"} == {"researcher", "writer"}
    assert events[-1][0] == "result" and events[-1][1]["output"] == told["output"]


@pytest.mark.parametrize("execution_type", ["simple", "orchestrator"])
def test_an_execution_is_streamed_with_ids_that_it_can_be_taken_up_from(
    client: httpx.Client, execution_type: str
) -> None:
    body = {"prompt": SUM, "execution_type": execution_type}
    with client.stream("POST", EXECUTE, json=body, headers=STREAM) as response:
        run_id, lines = response.headers["x-execution-id"], [line for line in response.iter_lines() if line]
    cut = lines.index("id: 4")
    with client.stream("GET", f"/runs/{run_id}/stream", headers={"Last-Event-ID": "4"}) as response:
        assert [line for line in response.iter_lines() if line] == lines[cut + 1 :]
    assert lines[-3] == "event: result"


def test_one_in_the_background_is_found_in_the_history_and_deleted_there(client: httpx.Client) -> None:
    response = client.post(EXECUTE, json={"prompt": "Invierte la palabra casa", "background": True})
    accepted = ok(response, 202)
    assert accepted["status"] == "PENDING" and accepted["execution_id"] == response.headers["x-execution-id"]
    where = response.headers["location"]
    until(lambda: ok(client.get(where))["status"] == "COMPLETED")
    whole = ok(client.get(where))
    assert whole["output"] == "asac"
    for wanted in ({"q": "palabra casa"}, {"q": "asac", "status": "completed"}, {"execution_type": "simple"}):
        items = ok(client.get("/api/v1/history", params={**wanted, "limit": 5}))["items"]
        assert accepted["execution_id"] in [item["execution_id"] for item in items]
    assert ok(client.get("/api/v1/history", params={"q": "palabra -casa"}))["items"] == []
    ok(client.delete(where), 204)
    problem(client.get(where), 404)


def test_what_an_execution_asks_is_answered_where_it_was_asked(client: httpx.Client) -> None:
    body = {"prompt": SUM, "execution_type": "orchestrator", "model": "slow", "max_tokens": 10}
    asked = ok(client.post(EXECUTE, json={**body, "max_attempts": 1, "min_score": 1.0, "approve": True}))
    assert (asked["status"], asked["output"]) == ("INTERRUPTED", None)
    assert asked["interrupts"][0]["value"]["choices"] and asked["flow_state"]["next"] == ["ask_human"]
    answer = {"execution_type": "orchestrator", "thread_id": asked["thread_id"], "resume": True}
    told = ok(client.post(EXECUTE, json={**answer, "decision": {"decision": "edit", "answer": "It is 42."}}))
    assert (told["status"], told["output"]) == ("COMPLETED", "It is 42.")
    assert told["execution_id"] == asked["execution_id"] and told["run_id"] != asked["run_id"]
    problem(client.post(EXECUTE, json={**answer, "decision": "accept"}), 409)


@pytest.mark.parametrize("path", ["/orchestrate", EXECUTE])
def test_a_client_that_leaves_a_stream_ends_the_generation(
    client: httpx.Client, shared_server: Process, path: str
) -> None:
    with (
        httpx.Client(base_url=shared_server.address(), timeout=60) as leaving,
        leaving.stream("POST", path, json=LONG, headers=STREAM) as response,
    ):
        run_id = response.headers["x-execution-id"]
        events = read_events(response)  # held: a stream that nobody reads any more is closed
        assert next(name for name, _ in events if name == "token")
        told = problem(client.delete("/cache/slow"), 409)
        assert [holder["run_id"] for holder in told["holders"]] == [run_id] and run_id in told["detail"]
    until(lambda: leases(client) == 0)
    until(lambda: ok(client.get(f"/api/v1/history/{run_id}"))["status"] == "CANCELLED")


@pytest.mark.parametrize("path", ["/inference", EXECUTE])
def test_a_client_that_leaves_while_it_waits_ends_the_generation(
    client: httpx.Client, shared_server: Process, path: str
) -> None:
    def newest() -> dict[str, Any]:
        (found,) = ok(client.get("/api/v1/history", params={"limit": 1}))["items"]
        assert isinstance(found, dict)
        return found

    before = newest()["execution_id"]
    with httpx.Client(base_url=shared_server.address()) as leaving, pytest.raises(httpx.ReadTimeout):
        leaving.post(path, json=LONG, timeout=httpx.Timeout(60, read=1))
    until(lambda: newest()["execution_id"] != before and newest()["status"] == "CANCELLED" and leases(client) == 0)
    assert newest()["prompt"] == "Hello"


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "said"),
    [
        ("POST", "/inference", {"json": {"prompt": "hi", "model": "gpt-9"}}, 404, "gpt-9"),
        ("POST", "/inference", {"json": {"promt": "hi"}}, 422, "promt"),
        ("POST", "/orchestrate", {"json": {"prompt": "hi", "parameters": {"min_score": 2}}}, 422, "min_score"),
        ("POST", EXECUTE, {"json": {"prompt": "hi", "execution_type": "magic"}}, 422, "execution_type"),
        ("POST", EXECUTE, {"json": {"prompt": "hi", "execution_type": "orchestrator", "agents": ["x"]}}, 404, "'x'"),
        ("POST", EXECUTE, {"json": {"prompt": "hi", "agents": ["writer"]}}, 422, "agents"),
        ("POST", EXECUTE, {"json": {"prompt": "word " * 400}}, 413, "1,024"),
        ("POST", EXECUTE, {"content": "prompt=hi", "headers": {"Content-Type": "text/csv"}}, 415, "text/csv"),
        ("POST", EXECUTE, {"content": "{"}, 422, "JSON"),
        ("GET", EXECUTE, {}, 405, "Not Allowed"),
        ("GET", "/api/v1/nothing", {}, 404, "Not Found"),
        ("GET", "/api/v1/history/7", {}, 422, "execution_id"),
        ("GET", "/api/v1/history", {"params": {"status": "lost"}}, 422, "status"),
        ("DELETE", "/cache/..%2f", {}, 422, ""),
    ],
)
def test_errors_are_problems_that_name_the_field_and_the_execution(
    client: httpx.Client, method: str, path: str, sent: dict[str, Any], status: int, said: str
) -> None:
    assert said in problem(client.request(method, path, **sent), status)["detail"]
