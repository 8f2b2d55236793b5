"""What a lab that has run something measures of itself; the dashboard and the alerts ask for nothing else."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from server.db.connection import CONNECTION_OPTIONS
from server.db.sql import FOLDER, read_queries
from server.db.timing import timed
from server.wire.metrics import Metrics
from state.errors import QueueFull
from state.messages import AgentMessage
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEPLOY = Path(__file__).parents[2] / "deploy"
OF_PROMETHEUS = frozenset({"up"})
"""Made by Prometheus itself, as are these labels of every series."""
TARGET = frozenset({"instance", "job"})
Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(postgres, tmp_path_factory.mktemp("telemetry"), message_queue=1) as opened:
        for _ in "12":
            await opened.ok("POST", "/orchestrate", json={"prompt": "Reverse the word house"})
        too_long = {"messages": [{"role": "user", "content": "word " * 4_000}]}
        await opened.http.post("/runs/wait", json={"assistant_id": "direct", "input": too_long})
        crew = [{"agent_id": kind, "agent_class": kind, "config": {"attempts": 1}} for kind in ("Echo", "Broken")]
        await opened.ok("PUT", "/api/v1/crew", 201, json={"crew_id": "staff", "agents": crew})
        await opened.ok("POST", "/api/v1/crew/execute", json={"crew_id": "staff", "query": "hello", "wait": True})
        await talk(opened)
        async with opened.lab.database.pool.connection() as connection:
            with pytest.raises(psycopg.errors.UndefinedTable):
                await connection.execute("SELECT * FROM nowhere")
        yield opened


async def talk(served: Served) -> None:
    """One message that is received, one that waits, and one that finds its queue full."""
    bus = served.lab.bus

    def said() -> AgentMessage:
        return AgentMessage(message_id=uuid4(), from_agent="a", to_agent="b", payload={}, timestamp=datetime.now(UTC))

    await bus.send(said())
    assert await bus.receive("b", 5.0) is not None
    await bus.send(said())
    with pytest.raises(QueueFull):
        await bus.send(said())


async def scraped(served: Served) -> Samples:
    response = await served.http.get("/metrics")
    assert response.status_code == 200
    samples: Samples = defaultdict(list)
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            samples[sample.name].append((sample.labels, sample.value))
    return samples


def total(samples: Samples, name: str, **labels: str) -> float:
    """Of the samples that have these labels."""
    return sum(value for of, value in samples[name] if labels.items() <= of.items())


RAISED: list[tuple[str, dict[str, str]]] = [
    ("lab_build_info", {}),
    ("lg_api_http_requests_total", {"method": "POST", "path": "/orchestrate", "status": "200"}),
    ("lg_api_http_requests_latency_count", {"path": "/orchestrate"}),
    ("lg_api_workers_max", {}),
    ("lab_http_open", {"kind": "http"}),
    ("lab_runs_ended_total", {"graph": "orchestrator", "status": "success"}),
    ("lab_runs_ended_total", {"graph": "direct", "status": "error"}),
    ("lab_runs_ended_total", {"graph": "crew", "status": "success"}),
    ("lab_run_seconds_sum", {"graph": "orchestrator"}),
    ("lab_run_queue_wait_seconds_count", {}),
    ("lab_node_seconds_sum", {"graph": "orchestrator", "node": "execute", "outcome": "completed"}),
    ("lab_node_seconds_count", {"graph": "direct", "outcome": "failed"}),
    ("lab_validator_score_sum", {"graph": "orchestrator", "passed": "true"}),
    ("lab_workers", {}),
    ("lab_agents", {"status": "idle"}),
    ("lab_agent_calls_total", {"agent": "Echo", "outcome": "completed"}),
    ("lab_agent_calls_total", {"agent": "Broken", "outcome": "failed"}),
    ("lab_agent_call_seconds_count", {"agent": "Echo"}),
    ("lab_messages_sent_total", {"agent": "a"}),
    ("lab_messages_received_total", {"agent": "b"}),
    ("lab_messages_refused_total", {"agent": "b"}),
    ("lab_messages_waiting", {"agent": "b"}),
    ("lab_messages_delivery_seconds_count", {}),
    ("lab_model_bytes", {"model": "demo", "strategy": "standard", "part": "weights"}),
    ("lab_models_budget_bytes", {}),
    ("lab_model_hits_total", {}),
    ("lab_model_load_seconds_count", {}),
    ("lab_model_load_seconds_sum", {}),
    ("lab_model_calls_total", {"model": "demo", "strategy": "standard", "outcome": "completed"}),
    ("lab_model_tokens_total", {"model": "demo", "kind": "prompt"}),
    ("lab_model_tokens_total", {"model": "demo", "kind": "generated"}),
    ("lab_model_first_token_seconds_sum", {"model": "demo"}),
    ("lab_model_inference_seconds_sum", {"model": "demo", "strategy": "standard"}),
    ("lab_device_memory_total_bytes", {"memory": "ram"}),
    ("lab_device_memory_free_bytes", {"memory": "ram"}),
    ("lab_disk_total_bytes", {}),
    ("lab_disk_free_bytes", {}),
    ("lab_database_up", {}),
    ("lab_database_seconds_sum", {"part": "checkpoints"}),
    ("lab_database_seconds_sum", {"part": "queue"}),
    ("lab_database_errors_total", {"part": "other"}),
    ("lab_database_connections", {}),
    ("process_resident_memory_bytes", {}),
    ("process_cpu_seconds_total", {}),
    ("python_info", {}),
]


async def test_what_has_happened_is_told(served: Served) -> None:
    samples = await scraped(served)
    missing = [(name, labels) for name, labels in RAISED if total(samples, name, **labels) <= 0]
    assert not missing


async def test_a_run_is_counted_once_and_its_model_calls_with_it(served: Served) -> None:
    before = await scraped(served)
    await served.ok("POST", "/inference", json={"prompt": "Reverse the word house"})
    after = await scraped(served)

    def more(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    assert more("lab_runs_ended_total") == more("lab_run_seconds_count", graph="direct") == 1
    assert more("lab_model_calls_total", outcome="completed") == 1
    assert more("lab_model_hits_total") == 1
    assert more("lab_node_seconds_count", graph="direct") >= 1


async def test_clients_that_want_json_get_the_seeds_figures(served: Served) -> None:
    text = await served.http.get("/metrics")
    assert text.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    by_accept = await served.http.get("/metrics", headers={"accept": "application/json"})
    for body in (
        by_accept.json(),
        await served.ok("GET", "/api/v1/metrics"),
        await served.ok("GET", "/api/v1/metrics/"),
    ):
        told = Metrics.model_validate(body)
        assert told.executions is not None and told.agents is not None
        assert told.executions.by_status["COMPLETED"] >= 3
        assert told.executions.by_status["FAILED"] >= 1
        assert told.executions.mean_seconds is not None and told.executions.mean_seconds > 0
        assert told.tokens.tokens_generated > 0
        assert told.cache.hits >= 1 and told.cache.misses == 1
        assert [one.model_name for one in told.cache.resident] == ["demo"]
        assert told.database.up and told.messages.refused == 1
    short = await served.ok("GET", "/metrics?format=json")
    assert list(short) == ["queue", "api", "workers"]


@pytest.mark.parametrize(
    ("name", "indexes"), [("in_flight", {"runs_in_flight"}), ("newest", {"runs_by_tenant", "runs_seq_key"})]
)
async def test_runs_that_have_ended_are_not_gone_through(served: Served, name: str, indexes: set[str]) -> None:
    query = read_queries(FOLDER / "telemetry.sql")[name]
    async with served.lab.database.pool.connection() as connection, connection.transaction():
        # Of the few rows here a scan of the table and a sort would be the cheapest.
        for way in ("seqscan", "bitmapscan", "sort"):
            await connection.execute(f"SET LOCAL enable_{way} = off".encode())
        rows = await connection.execute(b"EXPLAIN " + query, {"tenant_id": "default", "limit": 10})
        plan = [str(row["QUERY PLAN"]) for row in await rows.fetchall()]
    assert any(index in line for index in indexes for line in plan), plan


async def test_what_goes_to_postgres_together_is_one_round_trip(served: Served) -> None:
    seen: list[tuple[list[Any], bool]] = []
    kind = timed(lambda statements, seconds, failed: seen.append((statements, failed)) if seconds > 0 else None)
    async with await kind.connect(served.lab.database.dsn, **CONNECTION_OPTIONS) as connection:
        await connection.execute("SELECT 1")
        async with connection.pipeline(), connection.cursor() as cursor:
            await cursor.execute("SELECT 2")
            async with connection.pipeline():
                await cursor.execute("SELECT 3")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with connection.pipeline():
                await connection.execute("SELECT 2 / 0")
    assert seen == [
        (["SELECT 1"], False),
        (["SELECT 2", "SELECT 3"], False),
        (["SELECT 1 / 0"], True),
        (["SELECT 2 / 0"], True),
    ]


# The dashboard and the alerts


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((DEPLOY / "grafana" / "agent-lab.json").read_text())
    return loaded


def expressions() -> Iterator[tuple[str, str]]:
    """Where each stands, and it."""
    yield from ((rule["alert"], rule["expr"]) for rule in alerts())
    yield from ((panel["title"], target["expr"]) for panel in panels() for target in panel["targets"])


SELECTOR = re.compile(r"\b((?:lab|lg_api|process|python|up)\w*)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
ANY_NAME = re.compile(r"([a-zA-Z_]\w*)\s*[{\[]")


def faults(expression: str, samples: Samples) -> Iterator[str]:
    """What an expression asks for and no scrape has."""
    known: set[str] = set(TARGET)
    names = set()
    for name, matchers in SELECTOR.findall(expression):
        names.add(name)
        if name in OF_PROMETHEUS:
            continue
        if not samples[name]:
            yield f"no metric {name}"
        labels = {label for of, _ in samples[name] for label in of} | TARGET
        known |= labels
        for label, operator, value in MATCHER.findall(matchers):
            if label not in labels:
                yield f"{name} has no label {label}"
            elif operator == "=" and label not in TARGET and all(of.get(label) != value for of, _ in samples[name]):
                yield f"{name} has no {label} {value}"
    yield from (f"{name} is no metric of ours" for name in set(ANY_NAME.findall(expression)) - names)
    for grouped in GROUPED.findall(expression):
        yield from (f"nothing here has {one}" for one in re.findall(r"\w+", grouped) if one not in known)


async def test_dashboard_and_alerts_ask_for_what_there_is(served: Served) -> None:
    samples = await scraped(served)
    found = {where: wrong for where, one in expressions() if (wrong := [*faults(one, samples)])}
    assert not found


async def test_the_dashboard_shows_every_family_of_ours(served: Served) -> None:
    of_ours = {name for name in await scraped(served) if name.startswith(("lab_", "lg_api_"))}
    shown = {name for panel in panels() for each in panel["targets"] for name, _ in SELECTOR.findall(each["expr"])}
    missing = {family_of(name) for name in of_ours} - {family_of(name) for name in shown}
    # What the Agent Server's own dashboards ask for; the panels show `lab_runs`, and the slots' two parts.
    assert missing == {"lg_api_num_pending_runs", "lg_api_num_running_runs", "lg_api_workers_max"}


def family_of(sample: str) -> str:
    return re.sub(r"_(bucket|count|sum)$", "", sample)


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("rate(lab_nothing_total[5m])", "no metric lab_nothing_total"),
        ('lab_runs{status="pending"}', "lab_runs has no label status"),
        ('lab_runs{state="asleep"}', "lab_runs has no state asleep"),
        ("sum by (node) (lab_runs)", "nothing here has node"),
        ("foreign[5m]", "foreign is no metric of ours"),
    ],
)
async def test_a_mistake_in_an_expression_would_be_found(served: Served, expression: str, fault: str) -> None:
    assert [*faults(expression, await scraped(served))] == [fault]


async def test_every_alert_says_what_it_is_and_how_bad() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names)) >= 8
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert re.fullmatch(r"\d+[smh]", rule["for"]), rule["alert"]
        assert {"summary", "description"} <= rule["annotations"].keys(), rule["alert"]
        assert all(text.strip() for text in rule["annotations"].values()), rule["alert"]


async def test_the_dashboard_can_be_imported_anywhere() -> None:
    whole = dashboard()
    variables = {variable["name"]: variable for variable in whole["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    ids = [panel["id"] for panel in whole["panels"]]
    assert len(ids) == len(set(ids))
    for panel in panels():
        assert panel["title"] and panel["fieldConfig"]["defaults"]["unit"], panel["id"]
        assert panel["datasource"]["uid"] == "${datasource}", panel["title"]
        for target in panel["targets"]:
            assert target["legendFormat"] and target["datasource"]["uid"] == "${datasource}", panel["title"]
            grouped = {word for labels in GROUPED.findall(target["expr"]) for word in re.findall(r"\w+", labels)}
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert legend <= grouped | TARGET | {"version", "memory"}, panel["title"]
    boxes = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in whole["panels"]]
    assert len(boxes) == len(set(boxes)), "two panels in one place"
