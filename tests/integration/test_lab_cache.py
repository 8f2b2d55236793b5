"""`/`, `/health`, `/models`, `/cache` and `/api/v1/{health,ready,models}` over the whole application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict

from tests.integration.served import Served, serving
from tests.unit.llm.tiny import save_slow_models

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    models = save_slow_models(tmp_path_factory.mktemp("models"))
    async with serving(
        postgres, tmp_path_factory.mktemp("served"), models_file=models, allowed_networks=(ip_network("127.0.0.0/8"),)
    ) as one:
        yield one


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _empty(served: Served) -> None:
    await served.ok("POST", "/cache/clear")


@asynccontextmanager
async def answering(served: Served) -> AsyncIterator[dict[str, Any]]:
    """The entry of the model `slow` in /cache while it answers one call; the call is ended afterwards."""
    task = asyncio.create_task(served.http.post("/inference", json={"prompt": "Hello", "model": "slow"}))
    try:
        yield await entry(served, lambda models: models["slow"] if models.get("slow", {}).get("holders") else None)
    finally:
        task.cancel()
        await asyncio.wait([task])
        await served.ok("POST", "/runs/cancel", 204, json={"status": "all"})
        await entry(served, lambda models: models.get("slow", {"leases": 0})["leases"] == 0 or None)


async def entry(served: Served, found: Callable[[dict[str, Any]], Any]) -> Any:
    """What is found among the models in memory, by name, as soon as it is."""
    async with asyncio.timeout(30):
        while True:
            status = await served.ok("GET", "/cache")
            if (one := found({model["model_key"]: model for model in status["models"]})) is not None:
                return one
            await asyncio.sleep(0.02)


async def test_the_second_call_finds_its_model_in_memory_and_the_cache_says_so(served: Served) -> None:
    before = await served.ok("GET", "/cache")
    assert (before["models"], before["total_bytes"]) == ([], 0)
    first, second = [
        (await served.ok("POST", "/inference", json={"prompt": "Reverse the word house"}))["metrics"] for _ in "12"
    ]
    assert not first["cache_hit"] and first["load_time_sec"] > 0
    assert second["cache_hit"] and second["load_time_sec"] < 0.01
    after = await served.ok("GET", "/cache/")
    (demo,) = after["models"]
    assert (demo["model_key"], demo["strategy"], demo["status"]) == ("demo", "standard", "ready")
    assert (demo["leases"], demo["holders"], demo["hits"], demo["pinned"]) == (0, [], 1, False)
    assert after["total_bytes"] == demo["total_bytes"] == demo["size_bytes"] + demo["kv_bytes"] > 3_000_000
    assert demo["size_gb"] == pytest.approx(demo["total_bytes"] / 1e9, abs=1e-6)
    assert after["free_bytes"] == after["budget_bytes"] - after["total_bytes"]
    assert (after["hits"], after["misses"]) == (before["hits"] + 1, before["misses"] + 1)
    assert after["hit_rate"] == pytest.approx(after["hits"] / (after["hits"] + after["misses"]), abs=1e-4)
    used = datetime.fromisoformat(demo["last_used_at"])
    age = (datetime.now(used.tzinfo) - used).total_seconds()
    assert demo["idle_for_sec"] - 0.1 <= age <= demo["idle_for_sec"] + 30
    assert 0 < demo["expires_in_sec"] <= 300


async def test_a_model_in_use_is_not_unloaded_and_its_holders_are_told(served: Served) -> None:
    async with answering(served) as slow:
        assert slow["leases"] == 1
        (holder,) = slow["holders"]
        assert holder["graph"] == "direct" and holder["node"] == "answer"
        run = await served.ok("GET", f"/threads/{holder['thread_id']}/runs/{holder['run_id']}")
        assert run["status"] == "running"

        response = await served.http.delete("/cache/slow")
        problem = response.json()
        assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")
        assert (problem["status"], problem["title"]) == (409, "Conflict")
        assert problem["execution_id"] == response.headers["x-execution-id"]
        assert problem["holders"] == [{**holder, "since": problem["holders"][0]["since"]}]
        assert holder["run_id"] in problem["detail"] and holder["thread_id"] in problem["detail"]
        assert holder["run_id"] in await served.refused("POST", "/models/slow/unload", 503)

        cleared = await served.ok("POST", "/cache/clear")
        (kept,) = cleared["kept"]
        assert kept["model_key"] == "slow" and kept["why"].startswith(f"in use by run {holder['run_id']}")
    assert (await served.ok("DELETE", "/cache/slow"))["unloaded"] == 1


async def test_clearing_leaves_what_is_pinned_and_tells_it(served: Served) -> None:
    await served.ok("POST", "/models/demo/load", json={"pin": True})
    await served.ok("POST", "/models/slow/load")
    cleared = await served.ok("POST", "/cache/clear/")
    assert [model["model_key"] for model in cleared["models"]] == ["slow"]
    assert (cleared["cleared"], cleared["freed_bytes"]) == (1, cleared["models"][0]["size_bytes"])
    assert [(model["model_key"], model["why"]) for model in cleared["kept"]] == [("demo", "pinned")]
    assert (await served.ok("DELETE", "/cache/demo"))["unloaded"] == 1
    assert (await served.ok("GET", "/cache"))["models"] == []


async def test_a_model_is_unloaded_in_all_strategies_or_in_the_one_that_is_named(served: Served) -> None:
    for strategy in ("standard", "streaming"):
        await served.ok("POST", "/models/demo/load", json={"strategy": strategy})
    gone = await served.ok("DELETE", "/cache/demo:streaming/")
    assert [(one["model_key"], one["strategy"]) for one in gone["models"]] == [("demo", "streaming")]
    assert "not in memory" in await served.refused("DELETE", "/cache/demo?strategy=streaming", 404)
    await served.ok("POST", "/models/demo/load", json={"strategy": "streaming"})
    assert (await served.ok("DELETE", "/cache/demo"))["unloaded"] == 2


@pytest.mark.parametrize(
    ("key", "status", "said"),
    [
        pytest.param("nothing", 404, "nothing", id="unknown"),
        pytest.param("demo", 404, "not in memory", id="not resident"),
        pytest.param("demo:fast", 422, "model_key", id="no such strategy"),
        pytest.param("demo:standard?strategy=streaming", 422, "leave one of them out", id="two strategies"),
        pytest.param("%00", 422, "model_key", id="nul"),
        pytest.param("%ED%A0%80", 422, "model_key", id="half a surrogate pair"),
        pytest.param("x" * 5_000, 422, "model_key", id="long"),
        pytest.param("demo%0A", 422, "model_key", id="line end"),
    ],
)
async def test_what_is_not_there_cannot_be_unloaded(served: Served, key: str, status: int, said: str) -> None:
    assert said in await served.refused("DELETE", f"/cache/{key}", status)


async def test_the_root_names_the_service_and_doors_that_exist(served: Served) -> None:
    service = await served.ok("GET", "/")
    assert (service["ok"], service["services"], service["name"]) == (True, {}, "Agent Lab")
    assert {"direct", "orchestrator"} <= set(service["graphs"])
    assert {"/inference", "/orchestrate", "/cache", "/models"} <= set(service["endpoints"].values())
    for path in (service["docs"], *service["endpoints"].values()):
        assert (await served.http.get(path)).status_code in (200, 405, 422), path


async def test_health_tells_the_machine_and_models_who_is_in_memory(served: Served) -> None:
    health = await served.ok("GET", "/health/")
    assert (health["status"], health["database"][:8]) == ("ok", "Postgres")
    assert health["device"]["kind"] == health["memory"]["device"]
    assert health["device"]["name"] and health["system"]["cpu_count"] >= 1
    assert health["device"]["ram_total_bytes"] > health["device"]["ram_free_bytes"] > 0
    assert health["uptime_sec"] > 0 and datetime.fromisoformat(health["timestamp"])
    listed = await served.ok("GET", "/models")
    wrapped = await served.ok("GET", "/api/v1/models/")
    assert [model["name"] for model in wrapped["models"]] == [model["name"] for model in listed]
    assert (wrapped["default_model"], wrapped["default_strategy"]) == ("demo", "standard")
    assert wrapped["strategies"] == ["standard", "optimized", "streaming"]


async def test_detailed_health_tells_each_component_with_its_latency(served: Served) -> None:
    assert (await served.ok("GET", "/api/v1/health"))["status"] == "ok"
    assert await served.ok("GET", "/api/v1/ready") == {"ready": True}
    told = await served.ok("GET", "/api/v1/health/detailed/")
    assert all(one["latency_ms"] >= 0 for one in told["components"].values())
    assert {name: one["status"] for name, one in told["components"].items() if name != "disk"} == dict.fromkeys(
        ["database", "migrations", "checkpointer", "run_queue", "worker", "models", "device", "agents", "messages"],
        "ok",
    )
    info = {name: one["info"] for name, one in told["components"].items()}
    assert info["run_queue"] | {"slots": 0} == {
        "pending": 0, "running": 0, "delayed": 0, "oldest_wait_sec": 0.0, "slots": 0
    }  # fmt: skip
    assert info["worker"]["processes"] == 1
    assert info["models"]["default_model"] == "demo" and info["worker"]["slots"] == info["worker"]["free"] > 0
    assert info["disk"]["total_bytes"] > 0 and info["migrations"]["pending"] == []


async def test_an_offline_agent_degrades_and_stops_nothing(served: Served) -> None:
    agent = {"agent_id": f"gone-{uuid4()}", "name": "Gone", "endpoint": "http://127.0.0.1:9/", "capabilities": ["x"]}
    created = await served.ok("POST", "/agents", 201, json=agent)
    await served.ok("POST", f"/agents/{created['agent_id']}/health")
    told = await served.ok("GET", "/api/v1/health/detailed")
    assert told["status"] == "degraded" and "1 of" in told["components"]["agents"]["detail"]
    assert await served.ok("GET", "/api/v1/ready") == {"ready": True}
    await served.ok("DELETE", f"/agents/{created['agent_id']}", 204)


async def test_without_its_database_the_server_says_what_is_missing(served: Served, postgres: str) -> None:
    name = conninfo_to_dict(served.lab.database.dsn)["dbname"]
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            paths = ("/health", "/api/v1/health", "/api/v1/health/detailed")
            health, basic, told = await asyncio.gather(*(served.ok("GET", path, 503) for path in paths))
            assert health["status"] == "degraded" and str(name) in health["database"]
            assert basic["status"] == told["status"] == told["components"]["database"]["status"] == "down"
            assert told["components"]["models"]["status"] == "ok"
            assert (await served.refused("GET", "/api/v1/ready", 503)).startswith("database: ")
        finally:
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    async with asyncio.timeout(30):
        while (await served.http.get("/api/v1/ready")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_stopping_server_is_not_ready_and_lives(postgres: str, tmp_path: Any) -> None:
    async with serving(postgres, tmp_path) as own:
        await own.lab.queue.leave()
        assert "stopping" in await own.refused("GET", "/api/v1/ready", 503)
        assert (await own.ok("GET", "/api/v1/health/detailed"))["components"]["worker"]["status"] == "degraded"
