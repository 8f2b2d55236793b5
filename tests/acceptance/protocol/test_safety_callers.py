"""Webhooks that are refused when a run is asked for, and callers that do not stop each other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("http://127.0.0.1:1/a", 422, "Webhook host blocked: loopback IP range"),
        ("http://127.1/", 422, "Webhook host blocked: loopback IP range"),
        ("http://2130706433/", 422, "Webhook host blocked: loopback IP range"),
        ("http://0x7f000001/", 422, "Webhook host blocked: loopback IP range"),
        ("http://0177.0.0.1/", 422, "Webhook host blocked: loopback IP range"),
        ("http://user:pw@127.0.0.1/", 422, "Webhook host blocked: loopback IP range"),
        ("http://localhost/", 422, "Webhook host blocked: localhost address"),
        ("http://169.254.169.254/latest", 422, "Webhook host blocked: blocked IP range"),
        ("http://0.0.0.0/", 422, "Webhook host blocked: blocked IP range"),
        ("http://[::1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://[::ffff:127.0.0.1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://[::127.0.0.1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://[64:ff9b::7f00:1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://[fe80::1]/", 422, "Webhook host blocked: blocked IP range"),
        ("http://224.0.0.1/", 422, "Webhook host blocked: blocked IP range"),
        ("http://metadata.google.internal/", 422, "Webhook host blocked: cloud metadata endpoint"),
        ("http://nowhere.invalid/", 422, "Webhook host blocked: DNS resolution failed"),
        ("ftp://example.com/", 422, "Webhook host blocked: scheme 'ftp' not allowed"),
        ("example.com", 422, "Invalid webhook hostname ''"),
        ("http://", 422, "Invalid webhook hostname ''"),
        ("http://[bad", 400, "Invalid IPv6 URL"),
        ("https://example.com:99999/", 400, "Port out of range 0-65535"),
        ("/threads", 422, "Loopback webhooks (relative URLs and localhost) are disabled by default."),
        ("", 422, '"" is shorter than 1 character'),
        (5, 422, '5 is not of type "string"'),
    ],
)
@pytest.mark.parametrize("path", ["/runs", "/runs/wait", "/runs/stream"])
async def test_a_webhook_that_may_not_be_called_is_refused_at_once(
    http: httpx.AsyncClient, path: str, url: Any, status: int, said: str
) -> None:
    body = {"assistant_id": "steps", "input": {}, "webhook": url}
    response = await http.post(path, json=body)
    assert response.status_code == status
    assert response.json()["detail"].startswith(said)


@pytest.mark.ours_only("it calls private networks")
@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://10.1/",
        "http://192.168.1.1/",
        "http://172.16.0.1/",
        "http://100.64.0.1/",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[2002:a00:1::]/",
        "http://168.63.129.16/",
        "http://localhost./",
        "//127.0.0.1/x",
        "http://8.8.8.8\\@127.0.0.1/",
    ],
)
async def test_private_networks_are_no_webhooks(http: httpx.AsyncClient, url: str) -> None:
    response = await http.post("/runs", json={"assistant_id": "steps", "input": {}, "webhook": url})
    assert response.status_code == 422
    assert "ebhook" in response.json()["detail"]


@pytest.mark.ours_only("each open stream holds a pooled connection there; in memory it holds none")
async def test_fifty_open_streams_leave_the_server_free(address: str, client: LangGraphClient) -> None:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=address, timeout=30, limits=limits) as http, asyncio.TaskGroup() as group:
        heard = [asyncio.Event() for _ in range(50)]
        threads = [await client.threads.create() for _ in heard]

        async def listen(thread_id: str, first: asyncio.Event) -> None:
            body = {"assistant_id": "safety_waits", "input": {"payload": 60}, "on_disconnect": "cancel"}
            async with http.stream("POST", f"/threads/{thread_id}/runs/stream", json=body) as response:
                async for _ in response.aiter_lines():
                    first.set()

        streams = [
            group.create_task(listen(thread["thread_id"], first)) for thread, first in zip(threads, heard, strict=True)
        ]
        async with asyncio.timeout(30):
            await asyncio.gather(*(first.wait() for first in heard))
        began = time.monotonic()
        for _ in range(10):
            created = (await http.post("/threads", json={})).json()
            assert (await http.get(f"/threads/{created['thread_id']}/state")).status_code == 200
            assert (await http.post("/threads/search", json={"limit": 1})).status_code == 200
        assert time.monotonic() - began < 10
        for stream in streams:
            stream.cancel()


@pytest.mark.ours_only("it runs one run at a time unless it is told otherwise")
async def test_a_long_queue_on_one_thread_delays_no_other(client: LangGraphClient) -> None:
    busy = await client.threads.create()
    queued = [
        await client.runs.create(busy["thread_id"], "safety_waits", input={"payload": 60}, multitask_strategy="enqueue")
        for _ in range(20)
    ]
    try:
        began = time.monotonic()
        other = await client.threads.create()
        done: Any = await client.runs.wait(other["thread_id"], "steps", input={"note": "quick"})
        assert done["trail"] == ["a", "b", "c"]
        assert time.monotonic() - began < 10
    finally:
        await client.runs.cancel_many(thread_id=busy["thread_id"], run_ids=[run["run_id"] for run in queued])
