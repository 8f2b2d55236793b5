"""Agents that fail, are killed and come back: retries, breaker, fallback, health; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.agents.agents import Client, HttpAgent, http_agents, registered, until
from tests.acceptance.agents.conftest import Place
from tests.acceptance.processes import Process

KEY = "k-7f1e4a55c0"
QUIET = {"attempts": 1}
"""No retries, which take seconds."""


@pytest.fixture(scope="module")
def pair(
    shared: tuple[Place, Client, Process], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, HttpAgent]]:
    with http_agents(tmp_path_factory.mktemp("pair"), "main", "spare", "other") as agents:
        shared[1].register(agents["main"], "summing up", api_key=KEY)
        shared[1].register(agents["spare"], "summing up")
        shared[1].register(agents["other"], "something else")
        yield agents


def test_an_agent_killed_in_the_middle_of_its_call_is_stood_in_for_and_its_health_returns(
    client: Client, pair: dict[str, HttpAgent]
) -> None:
    main, spare = pair["main"], pair["spare"]
    client.save("stood-in", registered("one", "main"), registered("two", "other"))
    until(lambda: client.agent("main")["health"]["health"] == "healthy")
    main.be(hold=True)
    job_id = client.begin("stood-in", "sum up")
    until(lambda: len(main.calls()) == 1)
    until(lambda: client.agent("main")["status"] == "busy")
    main.kill()
    job = client.ended(job_id)
    assert job["status"] == "COMPLETED", job["error"]
    assert job["result"]["results"] == ["spare(sum up)", "other(spare(sum up))"]
    one = job["result"]["agents"][0]
    assert (one["step"], one["agent_id"], one["fallback_for"]) == ("one", "spare", "main")
    assert "fallback" in [line["event"] for line in job["result"]["execution_log"]]
    assert ("spare", "other") in client.messages(job_id), "who really answered"

    until(lambda: client.agent("main")["status"] == "offline")
    asked = len(spare.calls())
    assert client.run("stood-in", "again")["result"]["results"][0] == "spare(again)"
    assert len(spare.calls()) == asked + 1

    main.be()
    main.start()
    until(lambda: client.agent("main")["status"] == "idle")
    assert client.run("stood-in", "back")["result"]["results"][0] == "main(back)"


def test_the_breaker_opens_after_five_failures_rests_and_closes_after_a_trial(
    client: Client, pair: dict[str, HttpAgent], shared: tuple[Place, Client, Process]
) -> None:
    main = pair["main"]
    client.save("broken", registered("one", "main", **QUIET))
    main.be(status=500)
    before = len(main.calls())
    for number in range(5):
        assert client.agent("main")["breaker"]["state"] == "closed", number
        assert client.run("broken", "sum up")["result"]["output"] == "spare(sum up)"
    resting = client.agent("main")["breaker"]
    assert resting["state"] == "open" and resting["failures"] == 5 and resting["open_until"]
    assert client.run("broken", "sum up")["result"]["output"] == "spare(sum up)"
    assert len(main.calls()) == before + 5, "it is left alone while it rests"

    main.be()
    _rested(shared[0])
    assert client.agent("main")["breaker"]["state"] == "half-open"
    assert client.run("broken", "and now")["result"]["output"] == "main(and now)"
    assert client.agent("main")["breaker"]["state"] == "closed"


def test_the_answers_of_others_stand_and_a_crew_without_any_answer_fails_with_each_reason(
    client: Client, pair: dict[str, HttpAgent]
) -> None:
    pair["other"].be(status=503)
    lost = registered("lost", "other", **QUIET)
    client.save("mixed", lost, registered("kept", "spare"), execution_mode="parallel")
    job = client.run("mixed", "hello")
    assert job["status"] == "COMPLETED" and job["result"]["results"] == ["spare(hello)"]
    by_step = {step["step"]: step for step in job["result"]["agents"]}
    assert by_step["lost"]["status"] == "failed" and "status 503" in by_step["lost"]["error"]

    client.save("dead", lost)
    job = client.run("dead", "hello")
    assert job["status"] == "FAILED" and "lost: " in job["error"] and "status 503" in job["error"]
    pair["other"].be()


def test_an_agents_key_reaches_the_agent_and_nothing_else(
    client: Client, pair: dict[str, HttpAgent], shared: tuple[Place, Client, Process]
) -> None:
    place, _, process = shared
    main = pair["main"]
    client.save("keyed", registered("one", "main", **QUIET), execution_mode="parallel")
    main.be(echo=True)  # it says its key in its error
    job = client.run("keyed", "hello")
    main.be(say={"response": f"my key is {KEY}", KEY: [KEY]})
    repeated = client.run("keyed", "say it")
    main.be()
    assert repeated["result"]["node_results"]["one"] == {"response": "my key is ***", "***": ["***"]}
    call = main.calls()[-1]
    assert (call["key"], call["bearer"]) == (KEY, f"Bearer {KEY}")
    assert KEY not in (pair["spare"].folder / "spare.calls").read_text()
    assert "I was sent the key" in str(job["result"]["execution_log"])
    shown = [
        client.http.get(path).text
        for path in (
            "/agents",
            "/agents/main",
            "/agents?capability=summing up",
            f"/api/v1/crew/jobs/{job['job_id']}/stream",
            f"/executions/{job['job_id']}",
            f"/executions/{job['job_id']}/messages",
            f"/threads/{job['thread_id']}/history",
            "/monitoring/stats",
            "/monitoring/executions",
            "/metrics",
        )
    ]
    assert client.agent("main")["has_api_key"] is True
    assert not [text for text in [*shown, str(job), str(repeated), "".join(process.errors)] if KEY in text]
    assert _tables_with(place, KEY) == {"agents"}


def _rested(place: Place) -> None:
    """As if the 30 seconds of every open breaker were over."""
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        connection.execute("UPDATE agents SET open_until = now() WHERE open_until IS NOT NULL")


def _tables_with(place: Place, secret: str) -> set[str]:
    """Tables in any of whose rows it stands, as a text or in bytes."""
    with psycopg.connect(place.database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        query = 'SELECT 1 FROM "{}" AS t WHERE t::text LIKE %s OR t::text LIKE %s LIMIT 1'
        wanted = (f"%{secret}%", f"%{secret.encode().hex()}%")
        return {name for (name,) in tables if connection.execute(query.format(name).encode(), wanted).fetchone()}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.7:8080",
        "http://192.168.1.1",
        "http://169.254.169.254/latest",
        "http://[::1]:9",
        "http://[::ffff:10.0.0.7]",
        "http://0x0a000007",
        "http://167772167",
        "http://metadata.google.internal",
        "http://0.0.0.0:80",
    ],
)
def test_addresses_that_the_operator_has_not_allowed_are_refused(endpoint: str, client: Client) -> None:
    body = {"agent_id": "outside", "endpoint": endpoint, "capabilities": ["reach"]}
    refused = client.ask("POST", "/agents", json=body, expect=422)
    assert "blocked" in refused["detail"]
    client.ask("GET", "/agents/outside", expect=404)
    inline = {"agent_id": "a", "agent_class": "HttpAgent", "config": {"endpoint": endpoint, **QUIET}}
    saved = client.http.put("/api/v1/crew", json={"crew_id": "outside", "agents": [inline]})
    assert saved.status_code in (200, 201, 422), saved.text
    if saved.is_success:
        job = client.run("outside", "hello")
        assert job["status"] == "FAILED" and "blocked" in job["error"]
