"""Who may talk to the server, under which label and how much: each test is an incident of this field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

STUDIO = "http://localhost:3000"
"""An origin that the server allows by default."""
EVIL = "https://evil.example"
JSON = {"content-type": "application/json"}
MAX_BODY_BYTES = 20_000_000


@pytest.mark.ours_only("it answers any Host, so that DNS rebinding reaches it")
@pytest.mark.parametrize("path", ["/ok", "/info", "/docs", "/openapi.json", "/threads/x", "/nowhere", "/health"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8001", "127.0.0.1.evil.example", "10.0.0.1", "["])
async def test_a_foreign_host_is_refused(http: httpx.AsyncClient, path: str, host: str) -> None:
    response = await http.get(path, headers={"host": host})
    assert response.status_code == 403
    assert "is not this machine" in response.json()["detail"]


@pytest.mark.ours_only("it answers any Origin, so that any web page drives it")
@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost:3001", "http://localhost.evil.example", "file://"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_page_of_a_foreign_origin_changes_nothing(
    http: httpx.AsyncClient, origin: str, content_type: str
) -> None:
    thread_id = str(uuid4())
    headers = {"origin": origin, "content-type": content_type}
    response = await http.post("/threads", content=json.dumps({"thread_id": thread_id}), headers=headers)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers
    assert (await http.get(f"/threads/{thread_id}")).status_code == 404


@pytest.mark.ours_only("it answers any Origin on WebSockets, too")
@pytest.mark.parametrize(
    "foreign",
    [{"origin": EVIL}, {"host": "evil.example"}, {"origin": "null"}, {"origin": EVIL, "host": "evil.example"}],
)
@pytest.mark.parametrize("path", ["/ws", "/threads/x/stream/events", "/nowhere"])
async def test_a_websocket_of_a_foreign_page_is_refused(
    http: httpx.AsyncClient, path: str, foreign: dict[str, str]
) -> None:
    handshake = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert (await http.get(path, headers={**handshake, **foreign})).status_code == 403


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_an_allowed_origin_may_ask_first(http: httpx.AsyncClient, method: str) -> None:
    asked = {
        "origin": STUDIO,
        "access-control-request-method": method,
        "access-control-request-headers": "content-type,x-api-key,last-event-id",
    }
    response = await http.options("/threads", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] in (STUDIO, "*")
    assert method in response.headers["access-control-allow-methods"]
    assert response.headers["access-control-allow-headers"] == "content-type,x-api-key,last-event-id"


@pytest.mark.ours_only("it answers 400")
async def test_an_allowed_origin_may_reach_the_private_network(http: httpx.AsyncClient) -> None:
    asked = {
        "origin": STUDIO,
        "access-control-request-method": "POST",
        "access-control-request-private-network": "true",
    }
    response = await http.options("/runs/stream", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-private-network"] == "true"
    assert response.headers["access-control-allow-origin"] == STUDIO


@pytest.mark.ours_only("it allows any origin")
async def test_a_foreign_origin_may_not_even_ask(http: httpx.AsyncClient) -> None:
    asked = {
        "origin": EVIL,
        "access-control-request-method": "POST",
        "access-control-request-private-network": "true",
    }
    response = await http.options("/threads", headers=asked)
    assert response.status_code == 403
    assert not [name for name in response.headers if name.startswith("access-control-allow")]


async def test_headers_that_clients_read_are_exposed(http: httpx.AsyncClient) -> None:
    response = await http.post("/threads/search", json={"limit": 1}, headers={"origin": STUDIO})
    exposed = response.headers["access-control-expose-headers"]
    for name in ("x-pagination-total", "x-pagination-next", "content-location"):
        assert name in exposed
    assert "Origin" in response.headers["vary"]


@pytest.mark.ours_only("its list lacks `location`, which the JavaScript client reads to reconnect")
async def test_location_is_exposed(http: httpx.AsyncClient) -> None:
    response = await http.get("/ok", headers={"origin": STUDIO})
    assert response.headers["access-control-expose-headers"] == (
        "x-pagination-total, x-pagination-next, content-location, location, x-execution-id"
    )
    assert response.headers["access-control-allow-origin"] == STUDIO


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.api+json", None]
)
async def test_json_is_read_under_its_own_names(http: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    assert (await http.post("/threads", content=b"{}", headers=headers)).status_code == 200


async def test_studio_labels_its_json_as_text(http: httpx.AsyncClient) -> None:
    headers = {"origin": STUDIO, "content-type": "text/plain;charset=UTF-8"}
    response = await http.post("/threads", content=b'{"metadata": {"by": "studio"}}', headers=headers)
    assert response.status_code == 200
    assert response.json()["metadata"] == {"by": "studio"}


@pytest.mark.ours_only("it parses any content type as JSON")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/threads"),
        ("POST", "/threads/search"),
        ("POST", "/assistants/search"),
        ("POST", "/runs/wait"),
        ("POST", "/runs/stream"),
        ("PUT", "/store/items"),
    ],
)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html",
        "application/yaml",
    ],
)
async def test_other_content_types_are_refused(
    http: httpx.AsyncClient, method: str, path: str, content_type: str
) -> None:
    response = await http.request(method, path, content=b"{}", headers={"content-type": content_type})
    assert response.status_code == 415
    assert response.json() == {"detail": f"Content-Type '{content_type}' is not accepted; send application/json"}


@pytest.mark.ours_only("it reads bodies of any size into memory")
@pytest.mark.parametrize("path", ["/threads", "/runs", "/inference"])
async def test_a_body_of_400_megabytes_is_refused_by_its_length(http: httpx.AsyncClient, path: str) -> None:
    """Not a byte of it is sent: what is refused was not waited for."""
    host, port = http.base_url.host, http.base_url.port
    assert port is not None
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n".encode())
    writer.write(b"content-length: 400000000\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


@pytest.mark.ours_only("it reads bodies of any size into memory")
async def test_a_body_without_a_length_is_refused_once_it_is_too_large(http: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 400_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    response = await http.post("/threads", content=endless(), headers=JSON)
    assert response.status_code == 413
    assert response.json() == {"detail": f"the body is larger than {MAX_BODY_BYTES:,} bytes"}
    assert (await http.get("/ok")).status_code == 200


async def test_a_state_of_some_megabytes_is_taken(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "safety_keeps", "input": {"payload": "x" * 4_000_000}}
    response = await http.post("/runs/wait", json=body)
    assert response.status_code == 200
    assert len(response.json()["payload"]) == 4_000_000


@pytest.mark.ours_only("its bound is the one of its HTTP parser, with a plain text")
async def test_a_url_of_17_000_bytes_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.get(f"/threads/{'a' * 17_000}")
    assert response.status_code == 414
    assert response.json() == {"detail": "the URL is longer than 16,000 bytes"}


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("depth", [300, 900])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/threads", '{"metadata": %s}'),
        ("POST", "/threads/search", '{"metadata": %s}'),
        ("POST", "/assistants", '{"graph_id": "steps", "metadata": %s}'),
        ("POST", "/runs/wait", '{"assistant_id": "safety_keeps", "input": {"payload": %s}}'),
        ("PUT", "/store/items", '{"namespace": ["safety"], "key": "deep", "value": %s}'),
    ],
)
async def test_what_is_nested_too_deep_is_refused(
    http: httpx.AsyncClient, method: str, path: str, body: str, depth: int
) -> None:
    response = await http.request(method, path, content=body % nested(depth), headers=JSON)
    assert (response.status_code, response.json()) == (400, {"detail": "Recursion limit reached"})


async def test_what_is_nested_150_deep_comes_back_whole(client: LangGraphClient) -> None:
    deep = json.loads(nested(150))
    thread = await client.threads.create(metadata={"deep": deep})
    assert (await client.threads.get(thread["thread_id"]))["metadata"] == {"deep": deep}
    done = await client.runs.wait(thread["thread_id"], "safety_keeps", input={"payload": deep})
    assert done["payload"] == deep  # type: ignore[call-overload]
    assert (await client.threads.get_state(thread["thread_id"]))["values"] == {"payload": deep}
    assert (await client.threads.get_history(thread["thread_id"]))[0]["values"] == {"payload": deep}
    assert (await client.runs.list(thread["thread_id"]))[0]["thread_id"] == thread["thread_id"]
