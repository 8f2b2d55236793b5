"""Who may talk to a loopback server, and how large a request may be."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from server.application.shapes import CorsConfig
from server.errors import install_error_handlers
from server.guard import EXPOSED_HEADERS, LISTED_ORIGIN, MAX_URL_BYTES, Cors, Guard, cors_of, install_guard, refusal

ALLOWED = Cors(("http://localhost:3000",), allow_origin_regex=r"https://\w+\.example\.org")
BOUND = 1_000


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8001", None),
        ("localhost", None),
        ("[::1]:8001", None),
        ("localhost:8001", "http://localhost:3000"),
        ("localhost:8001", "https://studio.example.org"),
        ("127.0.0.1:8001", "http://127.0.0.1:8001"),
    ],
)
def test_this_machine_is_let_in(host: str, origin: str | None) -> None:
    assert refusal(host, origin, ALLOWED) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("", None),
        ("[", None),
        ("evil.example", None),
        ("evil.example:8001", "http://evil.example:8001"),
        ("127.0.0.1.evil.example", None),
        ("localhost@evil.example", None),
        ("10.0.0.1:8001", None),
        ("localhost:8001", "https://evil.example"),
        ("localhost:8001", "https://studio.example.org.evil.example"),
        ("localhost:8001", "null"),
        ("localhost:8001", "http://localhost:3001"),
    ],
)
def test_everybody_else_is_kept_out(host: str, origin: str | None) -> None:
    assert refusal(host, origin, ALLOWED) is not None


def test_a_star_lets_any_page_in_but_names_none() -> None:
    cors = Cors(("*",))
    assert cors.allows("https://evil.example") and not cors.lists("https://evil.example") and not cors.lists("*")


def test_what_the_application_says_of_cors_is_added_to_the_operators_origins() -> None:
    config = CorsConfig(allow_origins=("https://a.example",), allow_credentials=True)
    assert cors_of(("http://localhost:3000",), config) == Cors(
        ("http://localhost:3000", "https://a.example"), allow_credentials=True
    )
    assert cors_of(("http://localhost:3000",), None) == Cors(("http://localhost:3000",))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body, and whether the operator named the request's Origin."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{length} {LISTED_ORIGIN in scope}".encode()})


def guarded(app: object = echo, cors: Cors = ALLOWED) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Guard(app, cors, BOUND))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 10):
        yield b"x" * 10


async def test_a_body_without_a_length_is_bounded_too() -> None:
    async with guarded() as client:
        assert (await client.post("/", content=chunks(BOUND))).text == f"{BOUND} False"
        response = await client.post("/", content=chunks(BOUND + 10))
    assert (response.status_code, response.json()) == (413, {"detail": "the body is larger than 1,000 bytes"})


async def test_a_large_body_is_refused_by_its_length_before_any_of_it_is_read() -> None:
    async def never_asked(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the application was asked")

    async with guarded(never_asked) as client:
        response = await client.post("/", content=b"x" * (BOUND + 1))
    assert (response.status_code, response.json()) == (413, {"detail": "the body is larger than 1,000 bytes"})


async def test_the_labs_own_routes_answer_problem_details() -> None:
    async with guarded() as client:
        response = await client.post("/inference", content=b"x" * (BOUND + 1))
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 413


async def test_a_route_that_reads_a_large_body_answers_413_by_itself() -> None:
    app = FastAPI()
    install_error_handlers(app)
    install_guard(app, ALLOWED, BOUND)

    @app.post("/threads")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/parsed")
    async def parsed(body: dict[str, int]) -> int:
        return len(body)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.post("/threads", content=chunks(BOUND))).json() == BOUND
        for path in ("/threads", "/parsed"):
            sent = await client.post(path, content=chunks(BOUND + 10), headers={"content-type": "application/json"})
            assert (sent.status_code, sent.json()) == (413, {"detail": "the body is larger than 1,000 bytes"}), path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/threads/..%2f", 422),
        ("/threads/a%2Fb/state", 422),
        ("/assistants/a%5cb", 422),
        ("/prefix/runs/%2f", 422),
        ("/models/a%2Fb", 200),
        ("/own/a%2fb", 200),
        ("/threads/" + "a" * MAX_URL_BYTES, 414),
        ("/threads?a=" + "a" * MAX_URL_BYTES, 414),
    ],
)
async def test_paths_that_hide_a_separator_and_long_urls_are_refused(path: str, status: int) -> None:
    async with guarded() as client:
        assert (await client.get(path)).status_code == status


@pytest.mark.parametrize(
    ("origin", "listed"),
    [(None, False), ("http://localhost", False), ("http://localhost:3000", True), ("https://a.example.org", True)],
)
async def test_the_application_learns_whether_the_operator_named_the_origin(origin: str | None, listed: bool) -> None:
    async with guarded() as client:
        response = await client.get("/", headers={"origin": origin} if origin else {})
    assert response.text == f"0 {listed}"


async def test_a_nul_in_a_query_becomes_the_replacement_character() -> None:
    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["query_string"]})

    async with guarded(told) as client:
        assert (await client.get("/threads?a=x%00y&b=%01")).text == "a=x%EF%BF%BDy&b=%01"


async def test_a_websocket_from_another_site_is_closed() -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")]}
    await Guard(echo, Cors(), BOUND)(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["type"] == "websocket.close"  # type: ignore[index]


async def test_unforeseen_errors_and_unknown_routes_answer_without_a_traceback() -> None:
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/threads")
    async def fail() -> None:
        raise RuntimeError("a secret")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        failed = await client.get("/threads")
        assert (failed.status_code, failed.json()) == (500, {"detail": "Internal Server Error"})
        missing = await client.get("/nowhere")
        assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
        wrong = await client.delete("/threads")
        assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
        assert wrong.headers["allow"] == "GET"


async def test_the_headers_that_clients_read_are_exposed_also_where_the_application_names_others() -> None:
    app = FastAPI()
    install_guard(
        app, cors_of((), CorsConfig(allow_origins=("http://localhost:3000",), expose_headers=("x-a",))), BOUND
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        response = await client.get("/", headers={"origin": "http://localhost:3000"})
    assert response.headers["access-control-expose-headers"] == ", ".join(("x-a", *EXPOSED_HEADERS))
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
