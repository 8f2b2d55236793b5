"""`lab serve` end to end: a live server, real HTTP clients that stay or leave."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest

from tests.acceptance.processes import Lab, Process

STREAM = {"Accept": "text/event-stream"}
SUM = "What is 17 + 25?"
LONG = {"prompt": "Hello", "model": "slow"}


@pytest.fixture
def server(lab: Lab) -> Iterator[Process]:
    with lab.start("serve", "--port", "0") as process:
        process.address()
        yield process


@pytest.fixture
def client(shared_server: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.address(), timeout=60) as client:
        yield client


def read_events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def until(condition: Callable[[], bool], client: httpx.Client) -> None:
    """Ask `/health` again and again, up to 10 seconds' worth, until the condition holds."""
    for _ in range(1_000):
        if condition():
            return
        client.get("/health")
    raise AssertionError("it never happened")


def test_a_stream_tells_each_node_the_tokens_and_the_result(client: httpx.Client) -> None:
    with client.stream("POST", "/orchestrate", json={"prompt": SUM}, headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = list(read_events(response))
    names = [name for name, _ in events]
    started = [data["node"] for name, data in events if name == "node_start"]
    ended = [data["node"] for name, data in events if name == "node_end"]
    assert names[:2] == ["metadata", "run"] and names[-1] == "result" and "token" in names and "model" in names
    assert started == ended and started[:4] == ["read_history", "analyze_task", "monitor_resources", "execute"]
    assert "call_tools" in ended and ended[-1] == "summarise"
    result = events[-1][1]
    assert "42" in result["output"] and result["score"] == 1.0 and result["attempts"] >= 1
    assert {"cache_hit", "load_time_sec", "inference_time_sec", "total_time_sec", "tokens_generated"} <= set(
        result["metrics"]
    )


def test_json_gives_the_same_result_whole(client: httpx.Client) -> None:
    body = client.post("/orchestrate", json={"prompt": SUM}).json()
    assert body["status"] == "success" and "42" in body["output"]
    second = client.post("/orchestrate", json={"prompt": SUM, "thread_id": body["thread_id"]}).json()
    assert second["thread_id"] == body["thread_id"] and second["run_id"] != body["run_id"]
    assert second["metrics"]["cache_hit"] is True


def test_inference_is_one_call_with_the_seeds_metrics(server: Process) -> None:
    with httpx.Client(base_url=server.address(), timeout=60) as client:
        first = client.post("/inference", json={"prompt": "Invierte la palabra casa"}).json()
        second = client.post("/inference", json={"prompt": "Invierte la palabra casa", "model": "demo"}).json()
    assert first["output"] == second["output"] == "asac"
    assert first["metrics"]["cache_hit"] is False and second["metrics"]["cache_hit"] is True
    assert second["metrics"]["load_time_sec"] < 0.01 < first["metrics"]["load_time_sec"]


def test_a_human_answers_over_http(client: httpx.Client) -> None:
    body = {"prompt": SUM, "model": "slow", "max_tokens": 10, "max_attempts": 1, "min_score": 1.0, "approve": True}
    asked = client.post("/orchestrate", json=body).json()
    assert asked["status"] == "interrupted" and asked["interrupts"][0]["value"]["choices"]
    answer = {"thread_id": asked["thread_id"], "resume": True}
    assert client.post("/orchestrate", json=answer).status_code == 409
    done = client.post("/orchestrate", json={**answer, "decision": {"decision": "accept"}}).json()
    assert done["status"] == "success" and done["decided_by"] == "human"


@pytest.mark.parametrize("headers", [STREAM, {}], ids=["stream", "json"])
def test_a_client_that_leaves_stops_the_generation(server: Process, database_url: str, headers: dict[str, str]) -> None:
    def leased() -> bool:
        resident = client.get("/health").json()["memory"]["resident"]
        return any(model["leases"] for model in resident)

    def status() -> str | None:
        with psycopg.connect(database_url) as connection:
            found = connection.execute("SELECT status FROM runs").fetchone()
        return found[0] if found else None

    body = {"prompt": "Hello", "model": "slow"}
    with httpx.Client(base_url=server.address(), timeout=60) as client:
        with httpx.Client(base_url=server.address(), timeout=60) as leaving:
            if headers:
                with leaving.stream("POST", "/orchestrate", json=body, headers=headers) as response:
                    events = read_events(response)
                    assert next(name for name, _ in events if name == "token")
                    assert leased() and status() == "running"
            else:
                # Long enough for the model to be loaded and at work; then the client hangs up.
                with pytest.raises(httpx.ReadTimeout):
                    leaving.post("/orchestrate", json=body, timeout=httpx.Timeout(60, read=8))
        until(lambda: not leased() and status() == "interrupted", client)


@pytest.mark.parametrize(
    ("route", "body", "status", "said"),
    [
        ("/inference", {"prompt": "hi", "model": "gpt-9"}, 404, "gpt-9"),
        ("/inference", {"prompt": ""}, 422, "prompt"),
        ("/inference", {"prompt": "  "}, 422, "empty"),
        ("/inference", {"prompt": "hi", "max_tokens": 0}, 422, "max_tokens"),
        ("/inference", {"prompt": "hi", "secret": 1}, 422, "secret"),
        ("/inference", {"prompt": "word " * 400}, 413, "1,024"),
        ("/orchestrate", {}, 422, "prompt"),
        ("/orchestrate", {"prompt": "hi", "thread_id": "7"}, 422, "thread_id"),
        (
            "/orchestrate",
            {"resume": True, "thread_id": "00000000-0000-4000-8000-000000000000"},
            409,
            "nothing to resume",
        ),
    ],
)
def test_bad_input_is_a_problem_in_one_line(
    client: httpx.Client, route: str, body: dict, status: int, said: str
) -> None:
    response = client.post(route, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"] and "\n" not in response.json()["detail"]


def test_other_sites_and_hosts_are_refused(client: httpx.Client) -> None:
    assert client.get("/models", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/models", headers={"Host": "evil.example"}).status_code == 403
    allowed = client.get("/models", headers={"Origin": "http://localhost:3000"})
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert client.post("/inference", content="x" * 20_100_000).status_code == 413


def test_models_and_health_tell_what_is_there(client: httpx.Client) -> None:
    models = {model["name"]: model for model in client.get("/models").json()}
    assert models["demo"]["bytes_needed"]["optimized"] < models["demo"]["bytes_needed"]["standard"]
    health = client.get("/health").json()
    assert health["status"] == "ok" and health["memory"]["budget_bytes"] > 0


def test_sigterm_ends_streams_and_their_runs_go_on_with_the_next_server(
    lab: Lab, server: Process, database_url: str
) -> None:
    def runs() -> list[tuple[str, int]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute("SELECT status, attempt FROM runs").fetchall()

    body = {**LONG, "max_tokens": 2_000, "max_attempts": 1}
    with (
        httpx.Client(base_url=server.address(), timeout=60) as client,
        client.stream("POST", "/orchestrate", json=body, headers=STREAM) as response,
    ):
        events = read_events(response)
        run_id = next(data["run_id"] for name, data in events if name == "run")
        assert next(name for name, _ in events if name == "token")
        server.popen.send_signal(signal.SIGTERM)
        with suppress(httpx.RemoteProtocolError):  # cut off, not ended: the client can tell that it was not all
            list(events)
    server.popen.wait(timeout=30)
    assert runs() == [("pending", 1)]
    refused = lab.run("ask", "--resume", "--thread", thread_of(database_url))
    assert refused.returncode == 2 and "in the queue" in refused.stderr
    with (
        lab.start("serve", "--port", "0") as again,
        httpx.Client(base_url=again.address(), timeout=60) as client,
        client.stream("GET", f"/runs/{run_id}/stream", headers={"Last-Event-ID": "-1"}) as response,
    ):
        told = list(read_events(response))
    attempts = [data["attempt"] for name, data in told if name == "metadata"]
    begun = [data["next"] for name, data in told if name == "run"]
    # Stopping, the server let the node at work come to its end, if that was near.
    assert attempts == [1, 2] and begun in ([[], ["execute"]], [[], ["validate_answer"]]) and told[-1][0] == "result"
    assert runs() == [("success", 2)]


def thread_of(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        return str(connection.execute("SELECT thread_id FROM threads").fetchall()[0][0])


def test_a_port_that_is_taken_is_told(lab: Lab, server: Process) -> None:
    port = server.address().rsplit(":", 1)[1]
    done = lab.run("serve", "--port", port)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and port in done.stderr


def test_a_missing_database_is_told_before_anything_is_served(lab: Lab) -> None:
    lab.settings["LAB_DATABASE_URL"] = "postgresql://me:secret@127.0.0.1:1/lab"
    done = lab.run("serve", "--port", "0")
    assert done.returncode == 2 and "Traceback" not in done.stderr and "secret" not in done.stderr
    assert "error: " in done.stderr
