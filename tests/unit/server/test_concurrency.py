"""Requests that make or follow runs are bounded; what watches the process is not."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from server.concurrency import Concurrency, makes_or_follows


@pytest.mark.parametrize(
    ("path", "bounded"),
    [
        ("/inference", True),
        ("/inference/", True),
        ("/orchestrate", True),
        ("/api/v1/execute", True),
        ("/flows/execute", True),
        ("/executions/a/stream", True),
        ("/ws/runs/a", True),
        ("/ws/execute", True),
        ("/inferences", False),
        ("/health", False),
        ("/metrics", False),
        ("/api/v1/ready", False),
        ("/executions/a", False),
        ("/runs/stream", False),
        ("/threads/a/runs/wait", False),
    ],
)
def test_what_holds_on_to_a_run_is_bounded(path: str, bounded: bool) -> None:
    assert makes_or_follows(path) is bounded


class Held:
    """Answers when it is let go; `/broken` fails then."""

    def __init__(self) -> None:
        self.inside = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.begun.set()
        try:
            if scope["path"] != "/health":
                await self.go.wait()
        finally:
            self.inside -= 1
        if scope["path"] == "/ws/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})


def asking(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_more_than_the_bound_are_told_to_come_again_and_a_place_comes_free_with_each_end() -> None:
    held = Held()
    async with asking(Concurrency(held, 2)) as http, asyncio.TaskGroup() as group:
        left = group.create_task(http.post("/inference"))
        stays = group.create_task(http.post("/ws/broken"))
        while held.inside < 2:
            await asyncio.sleep(0)
        refused = await http.post("/api/v1/execute")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["detail"] == (
            "2 requests make or follow runs already; try again, or raise LAB_MAX_CONCURRENT"
        )
        assert (await http.get("/health")).status_code == 200
        left.cancel()  # as a server does with a request whose client has left
        while held.inside > 1:
            await asyncio.sleep(0)
        held.begun.clear()
        next_one = group.create_task(http.post("/orchestrate"))
        await held.begun.wait()
        held.go.set()
        assert (await next_one).status_code == 200
        assert (await stays).status_code == 500
        answers = await asyncio.gather(http.post("/inference"), http.post("/inference"))
        assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}], ids=["plain", "with-answers"])
async def test_a_websocket_beyond_the_bound_is_refused_as_far_as_its_server_can_say(extensions: Any) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "websocket", "path": "/ws/execute", "headers": [], "extensions": extensions}
    await Concurrency(Held(), 0)(scope, None, send)  # type: ignore[arg-type]
    if extensions:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 429)
    else:
        assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1013)
