"""Who may talk to a loopback server."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from server.guard import MAX_BODY_BYTES, Guard, refusal

ALLOWED = frozenset({"http://localhost:3000"})


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8001", None),
        ("localhost", None),
        ("[::1]:8001", None),
        ("localhost:8001", "http://localhost:3000"),
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
        ("localhost:8001", "null"),
        ("localhost:8001", "http://localhost:3001"),
    ],
)
def test_everybody_else_is_kept_out(host: str, origin: str | None) -> None:
    assert refusal(host, origin, ALLOWED) is not None


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body, or `cut` when it ended early."""
    length, more, text = 0, True, ""
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            text, more = "cut", False
        else:
            length, more = length + len(message["body"]), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": (text or str(length)).encode()})


@pytest.mark.parametrize(("size", "said"), [(10, "10"), (MAX_BODY_BYTES + 1, "cut")])
async def test_a_body_without_a_length_is_bounded_too(size: int, said: str) -> None:
    async def chunks():
        yield b"x" * size

    transport = httpx.ASGITransport(Guard(echo, ()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.post("/", content=chunks())).text == said


async def test_a_large_body_is_refused_by_its_length() -> None:
    transport = httpx.ASGITransport(Guard(echo, ()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.post("/", content=b"x" * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413 and response.json()["status"] == 413


async def test_a_websocket_from_another_site_is_closed() -> None:
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "headers": [(b"host", b"localhost"), (b"origin", b"https://evil.example")]}
    await Guard(echo, ())(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["type"] == "websocket.close"
