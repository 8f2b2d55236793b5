"""Keys of queries, ids and paths are checked before they are used."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

OTHER_THREAD = "11111111-1111-4111-8111-111111111111"


INJECTIONS = ["x; DROP TABLE threads", "metadata->>'a'", "created_at DESC --", "thread_id)", "", "\u0000", "__class__"]


@pytest.mark.parametrize("key", INJECTIONS)
@pytest.mark.parametrize("path", ["/threads/search", "/assistants/search", "/runs/crons/search"])
async def test_sort_and_select_name_known_fields_only(http: httpx.AsyncClient, path: str, key: str) -> None:
    for body in ({"sort_by": key}, {"select": [key]}, {"sort_order": key}):
        response = await http.post(path, json=body)
        assert response.status_code == 422, body
        assert " is not one of " in response.json()["detail"]


@pytest.mark.parametrize("path", ["/threads/search", "/assistants/search", "/threads/count", "/assistants/count"])
@pytest.mark.parametrize(
    "key", ["a' OR '1'='1", 'a"b', "a.b", "$.a", "a\\", "%", "$1", "{}", "a'; DROP TABLE threads; --", "\u0000", "😀"]
)
async def test_metadata_keys_are_values_and_never_sql(http: httpx.AsyncClient, path: str, key: str) -> None:
    response = await http.post(path, json={"metadata": {key: str(uuid4())}})
    assert (response.status_code, response.json()) == (200, 0 if path.endswith("count") else [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"limit": 0}, "0 is less than the minimum of 1"),
        ({"limit": -1}, "-1 is less than the minimum of 1"),
        ({"limit": 100_000}, "100000 is greater than the maximum of 1000"),
        ({"limit": 10**20}, "1e+20 is greater than the maximum of 1000"),
        ({"limit": 1.5}, '1.5 is not of type "integer"'),
        ({"limit": "5"}, '"5" is not of type "integer"'),
        ({"limit": None}, 'null is not of type "integer"'),
        ({"limit": True}, 'true is not of type "integer"'),
        ({"offset": -1}, "-1 is less than the minimum of 0"),
    ],
)
@pytest.mark.parametrize("path", ["/threads/search", "/assistants/search"])
async def test_limits_are_bounded(http: httpx.AsyncClient, path: str, body: dict[str, Any], said: str) -> None:
    response = await http.post(path, json=body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(said)


@pytest.mark.parametrize("odd", ["%00", "%ff", "'", "%F0%9F%98%80", "[]", "null", "a" * 5_000])
@pytest.mark.parametrize(
    "query",
    [
        "/threads/{}/runs?status=",
        "/threads/{}/runs?select=",
        "/threads/{}/history?before=",
        "/threads/{}/state?subgraphs=",
        "/store/items?key=k&namespace=",
        "/store/items?namespace=a&key=",
    ],
)
async def test_odd_queries_are_no_server_errors(
    http: httpx.AsyncClient, client: LangGraphClient, query: str, odd: str
) -> None:
    thread = await client.threads.create()
    response = await http.get(query.format(thread["thread_id"]) + odd)
    assert response.status_code in (200, 400, 404, 422)
    assert response.headers["content-type"] == "application/json"


ROUTES = [
    ("GET", "/threads/{}", "thread"),
    ("DELETE", "/threads/{}", "thread"),
    ("GET", "/threads/{}/state", "thread"),
    ("GET", "/threads/{}/runs", "thread"),
    ("GET", "/assistants/{}", "assistant"),
    ("DELETE", "/assistants/{}", "assistant"),
    ("GET", f"/threads/{OTHER_THREAD}/runs/{{}}", "run"),
    ("GET", f"/threads/{OTHER_THREAD}/runs/{{}}/join", "run"),
    ("DELETE", f"/threads/{OTHER_THREAD}/runs/{{}}", "run"),
]


@pytest.mark.parametrize(
    "bad",
    [
        "abc",
        "1",
        "%00",
        "%3f",
        "%23",
        "a%3Fb",
        "%27%20OR%201=1",
        "%2e%2e",
        "%ff",
        "%c3%a9",
        OTHER_THREAD[:-1],
        "a" * 500,
    ],
)
@pytest.mark.parametrize(("method", "path", "what"), ROUTES)
async def test_ids_are_checked_before_they_are_used(address: str, method: str, path: str, what: str, bad: str) -> None:
    """Sent as they stand: a client would resolve the dots."""
    status, body = await raw_request(address, method, path.format(bad))
    assert (status, body) == (422, {"detail": f"Invalid {what} ID: must be a UUID"})


@pytest.mark.ours_only("it decodes the path before it looks for a route")
@pytest.mark.parametrize("bad", ["..%2f", "%2e%2e%2f", "a%2Fb", "..%5c", f"{OTHER_THREAD}%2fstate"])
@pytest.mark.parametrize(("method", "path", "what"), ROUTES)
async def test_encoded_separators_are_refused(address: str, method: str, path: str, what: str, bad: str) -> None:
    status, body = await raw_request(address, method, path.format(bad))
    assert (status, body) == (422, {"detail": "the path holds an encoded separator, which no id does"})


async def raw_request(address: str, method: str, path: str) -> tuple[int, Any]:
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: {url.netloc.decode()}\r\nconnection: close\r\n\r\n".encode())
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body) if b"application/json" in head else body


async def test_errors_are_json_and_say_no_more_than_they_must(http: httpx.AsyncClient) -> None:
    missing = await http.get("/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    wrong = await http.delete("/threads")
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    assert wrong.headers["allow"] == "POST"
    for response in (missing, wrong):
        assert response.headers["content-type"] == "application/json"
