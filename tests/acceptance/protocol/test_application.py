"""What a langgraph.json names is served: each form of a graph, its environment, its routes, what is switched off."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient

from tests.acceptance.protocol.servers import Kind, serving
from tests.conftest import TEMPLATE, new_database

FORMS = Path(__file__).with_name("app_forms")


@pytest.fixture(scope="module")
def forms(request: pytest.FixtureRequest, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over `app_forms/`."""
    folder = tmp_path_factory.mktemp("forms")
    yield from _started(request, kind, folder, FORMS)


@pytest.fixture(scope="module")
def bare(request: pytest.FixtureRequest, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with most of its routes switched off."""
    folder = tmp_path_factory.mktemp("bare")
    app = folder / "bare"
    shutil.copytree(FORMS, app, ignore=shutil.ignore_patterns("web.py", "__pycache__"))
    switched_off = {f"disable_{group}": True for group in ("assistants", "runs", "store", "meta")}
    config = {"dependencies": ["."], "graphs": {"builder": "./forms.py:builder"}, "http": switched_off}
    (app / "langgraph.json").write_text(json.dumps(config))
    yield from _started(request, kind, folder, app)


def _started(request: pytest.FixtureRequest, kind: Kind, folder: Path, app: Path) -> Iterator[str]:
    if kind == "reference":
        with serving(kind, folder, app=app) as started:
            yield started
    else:
        postgres: str = request.getfixturevalue("postgres")
        with new_database(postgres, TEMPLATE) as url, serving(kind, folder, database_url=url, app=app) as started:
            yield started


@pytest.fixture
async def own(forms: str) -> AsyncIterator[LangGraphClient]:
    opened = get_client(url=forms)
    yield opened
    await opened.aclose()


@pytest.fixture
async def own_http(forms: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=forms, timeout=30) as opened:
        yield opened


COLORED = {"configurable": {"color": "red"}}


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("builder", "builder"),
        ("compiled", "compiled"),
        ("described", "compiled"),
        ("of_nothing", "nothing"),
        ("of_anything", ["callbacks", "configurable", "metadata", "recursion_limit", "tags"]),
        ("of_both", ["threads.create_run", "red"]),
        ("of_keyword", ["keyword", "red"]),
        ("awaited", ["awaited", "red"]),
        ("maker", "an object that can be called"),
        ("managed", "managed"),
        ("async_managed", "async managed"),
        ("environment", {"FORM_COLOR": "red", "FORM_NUMBER": "42", "FORM_MISSING": None}),
        ("of_module", "by name"),
        ("in_package", "packaged"),
        (
            "named_like_ours",
            ["the application's own nodes", "the application's own nodes, through its own state"],
        ),
    ],
)
async def test_a_graph_is_served_in_whatever_form_it_is_named(own: LangGraphClient, graph: str, said: Any) -> None:
    assert await own.runs.wait(None, graph, input={}, config=COLORED) == {"said": said}


def test_the_synchronous_client_runs_a_factory_s_graph_too(forms: str) -> None:
    with get_sync_client(url=forms) as client:
        assert client.runs.wait(None, "of_both", input={}, config=COLORED) == {"said": ["threads.create_run", "red"]}


async def test_an_entrypoint_is_a_graph(own: LangGraphClient) -> None:
    assert await own.runs.wait(None, "functional", input={"a": 1}) == {"functional": {"a": 1}}


async def test_a_factory_sees_the_config_of_its_run(own: LangGraphClient) -> None:
    answer = await own.runs.wait(None, "of_config", input={}, config=COLORED, metadata={"purpose": "a test"})
    assert answer == {
        "said": {
            "color": "red",
            "ids": ["assistant_id", "graph_id", "run_id", "thread_id", "user_id"],
            "executes": True,
            "metadata": "a test",
        }
    }


async def test_a_factory_sees_the_config_of_its_assistant(own: LangGraphClient) -> None:
    assistant = await own.assistants.create("of_both", config={"configurable": {"color": "green"}})
    answer = await own.runs.wait(None, assistant["assistant_id"], input={})
    assert answer == {"said": ["threads.create_run", "green"]}


async def test_a_factory_sees_the_runtime_of_its_run(own: LangGraphClient) -> None:
    answer = await own.runs.wait(None, "of_runtime", input={}, context={"color": "red"})
    assert answer == {
        "said": {"access": "threads.create_run", "context": {"color": "red"}, "store": True, "user": True}
    }


async def test_context_managers_are_left_after_each_run(own: LangGraphClient) -> None:
    for graph in ("managed", "async_managed"):
        await own.runs.wait(None, graph, input={})
    assert await own.runs.wait(None, "open_managers", input={}) == {"said": []}


async def test_a_factory_s_graph_keeps_its_state_on_a_thread(own: LangGraphClient) -> None:
    thread = await own.threads.create()
    await own.runs.wait(thread["thread_id"], "of_keyword", input={}, config=COLORED)
    state = await own.threads.get_state(thread["thread_id"])
    assert state["values"] == {"said": ["keyword", "red"]}
    assert state["next"] == []


async def test_a_state_of_the_application_s_own_types_is_as_it_was_after_a_pause(own: LangGraphClient) -> None:
    thread = await own.threads.create()
    paused = await own.runs.wait(thread["thread_id"], "drawing", input={})
    assert {name: paused[name] for name in ("page", "line", "shade")} == {
        "page": {"lines": [{"begin": [1, 2], "shade": "dark"}]},
        "line": {"begin": {"x": 1, "y": 2}, "shade": "dark"},
        "shade": "dark",
    }
    resumed = await own.runs.wait(thread["thread_id"], "drawing", command={"resume": "yes"})
    assert resumed["seen"] == ["Page", "Line", "Shade"]


async def test_a_factory_that_fails_fails_its_run(own: LangGraphClient, own_http: httpx.AsyncClient) -> None:
    answer = await own_http.post("/runs/wait", json={"assistant_id": "broken", "input": {}})
    assert answer.status_code == 200
    assert answer.json() == {"__error__": {"error": "ValueError", "message": "this factory is broken"}}


@pytest.mark.parametrize(
    ("graph", "status", "detail"),
    [
        ("broken", 400, "this factory is broken"),
        ("no_graph", 424, "Graph 'no_graph' is not valid. Review graph registration. 5"),
    ],
)
async def test_a_drawing_of_what_is_no_graph_is_refused(
    own_http: httpx.AsyncClient, graph: str, status: int, detail: str
) -> None:
    answer = await own_http.get(f"/assistants/{graph}/graph")
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


async def test_a_factory_that_gives_no_graph_fails_its_run(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.post("/runs/wait", json={"assistant_id": "no_graph", "input": {}})
    assert answer.status_code == 200
    assert "Graph 'no_graph' is not valid. Review graph registration. 5" in answer.json()["__error__"]["message"]


@pytest.mark.parametrize("graph", ["builder", "of_nothing", "of_runtime", "managed", "async_managed", "awaited"])
async def test_a_graph_can_be_drawn_whatever_its_form(own: LangGraphClient, graph: str) -> None:
    drawn = await own.assistants.get_graph(graph)
    assert [node["id"] for node in drawn["nodes"]] == ["__start__", "say", "__end__"]


async def test_every_graph_has_its_system_assistant(own: LangGraphClient) -> None:
    named = json.loads((FORMS / "langgraph.json").read_text())["graphs"]
    found = await own.assistants.search(metadata={"created_by": "system"}, limit=100)
    assert {one["graph_id"] for one in found} == set(named)
    # A graph that was compiled under a name keeps it there; its id is the name in the file.
    assert {one["graph_id"]: one["name"] for one in found} == {
        **{name: name for name in named},
        "compiled": "a name of its own",
        "described": "a name of its own",
    }


async def test_a_graph_that_is_not_named_is_not_served(own_http: httpx.AsyncClient) -> None:
    named = sorted(json.loads((FORMS / "langgraph.json").read_text())["graphs"])
    answer = await own_http.post("/assistants", json={"graph_id": "nowhere"})
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Graph 'nowhere' not found. Expected one of: {named}"}


# What the server says of itself


async def test_info_names_version_flags_and_host(http: httpx.AsyncClient) -> None:
    answer = await http.get("/info")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["version", "langgraph_py_version", "flags", "host"]
    assert body["flags"] == {
        "assistants": True,
        "crons": True,
        "langsmith": False,
        "langsmith_tracing_replicas": True,
        "langsmith_tracing_session_on_runs": True,
    }
    assert body["host"] == {
        "kind": "self-hosted",
        "project_id": None,
        "host_revision_id": None,
        "revision_id": None,
        "tenant_id": None,
    }
    assert all(part.isdigit() for part in body["version"].split("."))
    assert all(part.isdigit() for part in body["langgraph_py_version"].split("."))


@pytest.mark.parametrize("path", ["/ok", "/ok?check_db=0", "/ok?check_db=1", "/"])
async def test_ok_says_so(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    # At its root ours says more of itself.
    assert said == {"ok": True, "services": {}} or (
        path == "/" and said.items() >= {"ok": True, "services": {}}.items()
    )


@pytest.mark.parametrize("path", ["/ok", "/info", "/metrics", "/openapi.json"])
async def test_head_asks_without_a_body(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_an_odd_check_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.get("/ok?check_db=abc")
    assert answer.status_code in (400, 422)
    assert list(answer.json()) == ["detail"]


async def test_metrics_are_told_to_prometheus(http: httpx.AsyncClient) -> None:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    lines = answer.text.splitlines()
    assert "# TYPE lg_api_http_requests_total counter" in lines
    assert "# TYPE lg_api_http_requests_latency histogram" in lines
    for name in ("lg_api_workers_max", "lg_api_workers_active", "lg_api_workers_available"):
        assert any(line.startswith((f"{name} ", f"{name}{{")) for line in lines), name
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


async def test_metrics_are_told_as_json(http: httpx.AsyncClient) -> None:
    await http.get("/assistants/nowhere/schemas")
    answer = await http.get("/metrics", params={"format": "json"})
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["queue", "api", "workers"]
    assert list(body["queue"]) == [
        "n_pending",
        "pending_runs_wait_time_max_secs",
        "pending_runs_wait_time_med_secs",
        "pending_unblocked_runs_wait_time_max_secs",
        "n_running",
    ]
    assert list(body["workers"]) == ["max", "active", "available"]
    assert body["workers"]["max"] == body["workers"]["active"] + body["workers"]["available"]
    counted = {(one["method"], one["path"], one["status"]) for one in body["api"]["http_requests_total"]}
    assert ("GET", "/assistants/{assistant_id}/schemas", 422) in counted
    assert list(body["api"]["http_requests_total"][0]) == ["method", "path", "status", "count"]


async def test_an_unknown_format_of_metrics_is_the_usual_one(http: httpx.AsyncClient) -> None:
    answer = await http.get("/metrics", params={"format": "nowhere"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=1.0.0; charset=utf-8")


async def test_docs_are_a_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


BODIES = {
    ("post", "/assistants"): "AssistantCreate",
    ("patch", "/assistants/{assistant_id}"): "AssistantPatch",
    ("post", "/assistants/search"): "AssistantSearchRequest",
    ("post", "/assistants/count"): "AssistantCountRequest",
    ("post", "/threads"): "ThreadCreate",
    ("patch", "/threads/{thread_id}"): "ThreadPatch",
    ("post", "/threads/search"): "ThreadSearchRequest",
    ("post", "/threads/count"): "ThreadCountRequest",
    ("post", "/threads/prune"): "ThreadPruneRequest",
    ("post", "/threads/{thread_id}/state"): "ThreadStateUpdate",
    ("post", "/threads/{thread_id}/state/checkpoint"): "ThreadStateCheckpointRequest",
    ("post", "/threads/{thread_id}/history"): "ThreadStateSearch",
    ("post", "/threads/{thread_id}/runs"): "RunCreateStateful",
    ("post", "/threads/{thread_id}/runs/stream"): "RunCreateStreamingStateful",
    ("post", "/threads/{thread_id}/runs/wait"): "RunCreateStreamingStateful",
    ("post", "/runs"): "RunCreateStateless",
    ("post", "/runs/stream"): "RunCreateStreamingStateless",
    ("post", "/runs/wait"): "RunCreateStreamingStateless",
    ("post", "/runs/batch"): "RunBatchCreate",
    ("post", "/runs/cancel"): "RunsCancel",
    ("post", "/runs/crons"): "CronCreate",
    ("post", "/threads/{thread_id}/runs/crons"): "ThreadCronCreate",
    ("patch", "/runs/crons/{cron_id}"): "CronPatch",
    ("post", "/runs/crons/search"): "CronSearch",
    ("post", "/runs/crons/count"): "CronCountRequest",
    ("put", "/store/items"): "StorePutRequest",
    ("delete", "/store/items"): "StoreDeleteRequest",
    ("post", "/store/items/search"): "StoreSearchRequest",
    ("post", "/store/namespaces"): "StoreListNamespacesRequest",
}
"""What the description calls the body of each route, and so what generated clients do."""


async def test_the_description_names_every_body(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    found = {
        (method, path): described["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
        for method, path in BODIES
    }
    assert found == {route: {"$ref": f"#/components/schemas/{name}"} for route, name in BODIES.items()}
    assert set(BODIES.values()) <= described["components"]["schemas"].keys()


async def test_references_of_the_description_lead_somewhere(http: httpx.AsyncClient) -> None:
    described = (await http.get("/openapi.json")).json()
    references = set(re.findall(r'"\$ref": "#/components/(\w+)/(\w+)"', json.dumps(described)))
    assert references
    assert {(kind, name) for kind, name in references if name not in described["components"].get(kind, {})} == set()


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("/assistants/search", "Assistants"),
        ("/threads/search", "Threads"),
        ("/threads/{thread_id}/runs", "Thread Runs"),
        ("/runs", "Stateless Runs"),
        ("/runs/crons", "Crons"),
        ("/store/items/search", "Store"),
    ],
)
async def test_the_description_puts_routes_under_tags(http: httpx.AsyncClient, path: str, tag: str) -> None:
    assert (await http.get("/openapi.json")).json()["paths"][path]["post"]["tags"] == [tag]


async def test_the_description_is_openapi(http: httpx.AsyncClient) -> None:
    answer = await http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/assistants", {"post"}),
        ("/assistants/search", {"post"}),
        ("/assistants/count", {"post"}),
        ("/assistants/{assistant_id}", {"get", "patch", "delete"}),
        ("/assistants/{assistant_id}/graph", {"get"}),
        ("/assistants/{assistant_id}/subgraphs", {"get"}),
        ("/assistants/{assistant_id}/subgraphs/{namespace}", {"get"}),
        ("/assistants/{assistant_id}/schemas", {"get"}),
        ("/assistants/{assistant_id}/versions", {"post"}),
        ("/assistants/{assistant_id}/latest", {"post"}),
        ("/threads", {"post"}),
        ("/threads/search", {"post"}),
        ("/threads/count", {"post"}),
        ("/threads/prune", {"post"}),
        ("/threads/{thread_id}/storage", {"get"}),
        ("/threads/{thread_id}", {"get", "patch", "delete"}),
        ("/threads/{thread_id}/state", {"get", "post"}),
        ("/threads/{thread_id}/state/{checkpoint_id}", {"get"}),
        ("/threads/{thread_id}/state/checkpoint", {"post"}),
        ("/threads/{thread_id}/history", {"get", "post"}),
        ("/threads/{thread_id}/copy", {"post"}),
        ("/threads/{thread_id}/stream", {"get"}),
        ("/threads/{thread_id}/runs", {"get", "post"}),
        ("/threads/{thread_id}/runs/crons", {"post"}),
        ("/threads/{thread_id}/runs/stream", {"post"}),
        ("/threads/{thread_id}/runs/wait", {"post"}),
        ("/threads/{thread_id}/runs/{run_id}", {"get", "delete"}),
        ("/threads/{thread_id}/runs/{run_id}/join", {"get"}),
        ("/threads/{thread_id}/runs/{run_id}/stream", {"get"}),
        ("/threads/{thread_id}/runs/{run_id}/cancel", {"post"}),
        ("/runs/crons", {"post"}),
        ("/runs/crons/search", {"post"}),
        ("/runs/crons/count", {"post"}),
        ("/runs/crons/{cron_id}", {"delete", "patch"}),
        ("/runs/stream", {"post"}),
        ("/runs/cancel", {"post"}),
        ("/runs/wait", {"post"}),
        ("/runs", {"post"}),
        ("/runs/batch", {"post"}),
        ("/store/items", {"get", "put", "delete"}),
        ("/store/items/search", {"post"}),
        ("/store/namespaces", {"post"}),
        ("/info", {"get"}),
        ("/metrics", {"get"}),
        ("/ok", {"get"}),
    ],
)
async def test_the_description_lists_every_route(http: httpx.AsyncClient, path: str, methods: set[str]) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert path in paths
    assert methods <= set(paths[path])


# The application's own routes


async def test_a_route_of_the_application_is_served_and_its_lifespan_runs(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.get("/own")
    assert (answer.status_code, answer.json()) == (200, {"opened": True})


@pytest.mark.ours_only("a lifespan's state does not reach the requests there")
async def test_what_the_lifespan_gives_reaches_the_requests(own_http: httpx.AsyncClient) -> None:
    assert (await own_http.get("/own/state")).json() == {"shared": "from the lifespan"}


async def test_a_body_reaches_the_application(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.post("/own/echo", json={"a": [1, None]})
    assert answer.json() == {"echo": {"a": [1, None]}}


async def test_the_application_s_checks_of_a_body_are_its_own(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.post("/own/echo", json=[1])
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body"]


async def test_a_route_of_the_application_wins(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.get("/assistants/mine")
    assert (answer.status_code, answer.json()) == (200, {"assistant": "the application's"})


@pytest.mark.parametrize("path", ["/ok", "/info", "/openapi.json", "/docs"])
async def test_but_not_over_what_monitoring_asks(own_http: httpx.AsyncClient, path: str) -> None:
    answer = await own_http.get(path)
    assert answer.status_code == 200
    assert "the application's" not in answer.text


@pytest.mark.parametrize("path", ["/own", "/ok", "/info", "/assistants/nowhere", "/nowhere", "/own/refused"])
async def test_the_application_s_middleware_sees_every_answer(own_http: httpx.AsyncClient, path: str) -> None:
    assert (await own_http.get(path)).headers["x-application"] == "seen"


async def test_an_error_of_the_application_is_its_own_handler_s(own_http: httpx.AsyncClient) -> None:
    answer = await own_http.get("/own/refused")
    assert (answer.status_code, answer.text) == (418, "not this one")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("DELETE", "/own"), ("GET", "/own/echo"), ("POST", "/own/")]
)
async def test_what_nobody_serves_is_not_found(own_http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await own_http.request(method, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


async def test_the_description_has_the_application_s_routes_too(own_http: httpx.AsyncClient) -> None:
    paths = (await own_http.get("/openapi.json")).json()["paths"]
    assert {"/own", "/own/echo", "/threads", "/runs/wait"} <= set(paths)


async def test_an_application_s_middleware_lets_a_stream_through(own: LangGraphClient) -> None:
    names = [part.event async for part in own.runs.stream(None, "builder", input={}, stream_mode="values")]
    assert names[:2] == ["metadata", "values"]


# What is switched off


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/assistants/search"),
        ("GET", "/assistants/nowhere"),
        ("POST", "/runs"),
        ("POST", "/runs/wait"),
        ("POST", "/runs/batch"),
        ("POST", "/runs/crons"),
        ("POST", "/runs/crons/search"),
        ("GET", "/threads/nowhere/runs"),
        ("POST", "/threads/nowhere/runs/wait"),
        ("POST", "/threads/nowhere/runs/crons"),
        ("GET", "/store/items"),
        ("POST", "/store/namespaces"),
        ("GET", "/info"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
    ],
)
def test_a_switched_off_route_is_not_found(bare: str, method: str, path: str) -> None:
    answer = httpx.request(method, bare + path, json={})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_threads_are_served_where_only_others_are_switched_off(bare: str) -> None:
    thread = httpx.post(f"{bare}/threads", json={}).json()
    assert httpx.get(f"{bare}/threads/{thread['thread_id']}").json()["status"] == "idle"


@pytest.mark.parametrize("path", ["/ok", "/ok?check_db=1"])
def test_ok_is_answered_but_looks_at_nothing_where_meta_is_switched_off(bare: str, path: str) -> None:
    answer = httpx.get(bare + path)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
