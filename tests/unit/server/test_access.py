"""Every request is named and told: its id in the answer, in problem details and in its log lines."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

from graphs.flows.faults import Fault, FlowErrors
from server.errors import install_error_handlers, mistakes_of
from server.guard import Cors, install_guard
from server.telemetry.access import HEADER, Access
from server.wire.mistakes import Mistake
from server.wire.shaped import body_of
from state.errors import LabError, NotFound

PAGE = "http://localhost:3000"


class Item(BaseModel):
    name: str
    count: int = Field(gt=0)


def application() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    install_guard(app, Cors((PAGE,)), 1_000)

    @app.get("/models/{name}")
    @app.get("/threads/{name}")
    async def show(name: str, request: Request, limit: Annotated[int, Query(ge=1)] = 1) -> dict[str, Any]:
        bind_contextvars(run_id="r")
        if name == "missing":
            raise NotFound("there is no \ud800")
        if name == "broken":
            raise LabError("a promise did not hold")
        if name == "unforeseen":
            raise RuntimeError("a secret")
        return {"id": str(request.scope["lab.execution_id"]), "bound": get_contextvars()}

    @app.post("/models")
    async def read(body: Annotated[Item, Depends(body_of(Item))]) -> Item:
        return body

    @app.post("/inference")
    async def parse(body: Item) -> Item:
        return body

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Access(application(), "/mounted"), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_a_request_has_an_id_that_its_client_does_not_choose(http: httpx.AsyncClient) -> None:
    answers = [await http.get("/models/a", headers={HEADER: "mine"}) for _ in range(2)]
    ids = [UUID(answer.headers[HEADER]) for answer in answers]
    assert ids[0] != ids[1] and {one.version for one in ids} == {7}
    assert [answer.json()["id"] for answer in answers] == [str(one) for one in ids]
    assert [answer.json()["bound"]["execution_id"] for answer in answers] == [str(one) for one in ids]
    assert get_contextvars() == {}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/models/missing", {}, 404),
        ("GET", "/models/nowhere/at/all", {}, 404),
        ("PATCH", "/models/a", {}, 405),
        ("GET", "/models/a", {"headers": {"host": "evil.example"}}, 403),
        ("GET", "/models/a", {"headers": {"origin": "http://evil.example"}}, 403),
        ("POST", "/models", {"content": "x" * 1_001}, 413),
        ("GET", "/models/" + "a" * 16_000, {}, 414),
        ("GET", "/agents/a%2fb", {}, 422),
        ("POST", "/models", {"content": "{}", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/models", {"content": "{", "headers": {"content-type": "application/json"}}, 422),
        ("POST", "/models", {"content": "[" * 450 + "]" * 450, "headers": {"content-type": "application/json"}}, 400),
        ("POST", "/models", {"json": {}}, 422),
        ("GET", "/models/a?limit=0", {}, 422),
        ("GET", "/models/broken", {}, 500),
        ("GET", "/models/unforeseen", {}, 500),
        ("GET", "/cache", {}, 404),
        ("GET", "/ws/runs/a", {}, 404),
        ("GET", "/api/v1/nowhere", {}, 404),
        ("GET", "/mounted/cache", {}, 404),
    ],
)
async def test_whatever_goes_wrong_on_the_labs_own_paths_is_a_problem_with_the_requests_id(
    http: httpx.AsyncClient, method: str, path: str, sent: Any, status: int
) -> None:
    answer = await http.request(method, path, **sent)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["execution_id"] == answer.headers[HEADER]
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["title"] and body["detail"] and "secret" not in answer.text


@pytest.mark.parametrize("path", ["/threads/missing", "/nowhere", "/threads/unforeseen", "/threads/a%2fb"])
async def test_agent_server_paths_answer_as_the_reference_does(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert list(answer.json()) == ["detail"]
    assert UUID(answer.headers[HEADER])


@pytest.mark.parametrize("path", ["/models", "/inference"])
async def test_each_field_that_is_wrong_is_named(http: httpx.AsyncClient, path: str) -> None:
    told = (await http.post(path, json={"count": 0})).json()
    assert [error["field"] for error in told["errors"]] == ["name", "count"]
    assert told["errors"][1]["message"] == "Input should be greater than 0"
    assert told["detail"] == "; ".join(f"{error['field']}: {error['message']}" for error in told["errors"])


async def test_a_query_that_is_wrong_is_named(http: httpx.AsyncClient) -> None:
    [error] = (await http.get("/models/a?limit=0")).json()["errors"]
    assert error["field"] == "query.limit"


async def test_pages_read_the_id_also_of_a_refusal(http: httpx.AsyncClient) -> None:
    for path in ("/models/a", "/models/missing"):
        answer = await http.get(path, headers={"origin": PAGE})
        assert "x-execution-id" in answer.headers["access-control-expose-headers"]


async def test_the_access_line_names_the_request_and_its_run(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[dict[str, Any]] = []

    class Ids(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(get_contextvars())

    handler = Ids()
    logger = logging.getLogger("server.access")
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "server.access"):
            answer = await http.get("/models/a?key=secret")
            await http.get("/health")
    finally:
        logger.removeHandler(handler)
    [line] = [record for record in caplog.records if record.name == "server.access"]
    told = line.__dict__
    assert (told["method"], told["path"], told["status"], line.getMessage()) == (
        "GET",
        "/models/a",
        200,
        "GET /models/a 200",
    )
    assert 0 <= told["ms"] < 60_000
    assert seen == [{"execution_id": answer.headers[HEADER], "run_id": "r"}]


async def test_what_watches_the_process_is_told_for_debugging_only(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "server.access"):
        for path in ("/ok", "/metrics", "/mounted/ok", "/models/a"):
            await http.get(path)
    told = [(record.levelname, record.__dict__["path"]) for record in caplog.records if record.name == "server.access"]
    assert told == [("DEBUG", "/ok"), ("DEBUG", "/metrics"), ("DEBUG", "/mounted/ok"), ("INFO", "/models/a")]


async def test_a_websocket_is_named_as_it_is_taken_and_told_as_it_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    async def taken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1001})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": "/ws/execute", "headers": []}
    with caplog.at_level(logging.INFO, "server.access"):
        await Access(taken)(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["headers"] == [(b"x-execution-id", str(scope["lab.execution_id"]).encode())]
    assert caplog.messages == ["WEBSOCKET /ws/execute 1001"]


def test_a_definitions_mistakes_are_told_by_where_they_stand() -> None:
    faults = [Fault("it is not known", ("nodes", 0, "agent")), Fault("there is none")]
    assert mistakes_of(FlowErrors(faults)) == [
        Mistake("nodes.0.agent", "it is not known"),
        Mistake("body", "there is none"),
    ]
    assert mistakes_of(NotFound("nothing")) == ()
