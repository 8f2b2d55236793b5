"""Webhooks delivered from rows in Postgres to a real listener, and what keeps them from the wrong places."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from server.db.pool import Database
from server.db.webhooks import WebhookRows
from server.run_queue import webhooks
from server.run_queue.webhook_policy import WebhookPolicy
from server.run_queue.webhooks import MAX_ATTEMPTS, Resolver, WebhookSender

LOOPBACK = WebhookPolicy(allow_loopback=True)


@dataclass
class Listener:
    """An HTTP server that answers each request with the next of `answers`, the last one again and again."""

    answers: Sequence[str]
    port: int = 0
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Request line, headers, body."""
    slow: asyncio.Event | None = None
    """Where set, it is waited for before a path that holds `slow` is answered."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((head[0], headers, body.decode()))
            if self.slow and "slow" in head[0]:
                await self.slow.wait()
            answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
            writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(*answers: str, slow: asyncio.Event | None = None) -> AsyncIterator[Listener]:
    listener = Listener(answers or ("200 OK",), slow=slow)
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


@dataclass
class Names:
    """A resolver that answers each question with the next of `answers`, the last one again and again."""

    answers: Sequence[Sequence[str]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def put(database: Database, url: str, body: str = "{}") -> None:
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO webhook_deliveries (tenant_id, run_id, url, body) VALUES ('default', %s, %s, %s)",
            (uuid.uuid4(), url, body),
        )


async def rows(database: Database) -> list[dict[str, Any]]:
    async with database.pool.connection() as connection:
        return await (await connection.execute("SELECT * FROM webhook_deliveries")).fetchall()


async def until_gone(database: Database) -> None:
    async with asyncio.timeout(15):
        while await rows(database):
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def sending(
    database: Database, policy: WebhookPolicy = LOOPBACK, resolver: Resolver = webhooks.resolve, **options: Any
) -> AsyncIterator[WebhookSender]:
    waits = {"first_wait": 0.01, **options}
    sender = WebhookSender(WebhookRows(database.pool, database.dsn), policy, resolver=resolver, **waits)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_delivery_is_posted_as_it_was_written_and_deleted(database: Database) -> None:
    body = json.dumps({"b": "Grüße", "a": [1, None], "nul": "\0"})
    async with listening() as listener, sending(database, headers={"x-static": "v"}):
        await put(database, f"http://127.0.0.1:{listener.port}/hook?x=1#part", body)
        await until_gone(database)
    ((line, headers, posted),) = listener.requests
    assert line == "POST /hook?x=1 HTTP/1.1"
    assert posted == body
    assert headers["content-type"] == "application/json" and headers["x-static"] == "v"
    assert headers["host"] == f"127.0.0.1:{listener.port}"


async def test_a_delivery_left_by_a_process_that_died_is_made_by_the_next(database: Database) -> None:
    async with listening() as listener:
        await put(database, f"http://127.0.0.1:{listener.port}/left")
        async with sending(database):
            await until_gone(database)
    assert len(listener.requests) == 1


async def test_a_receiver_that_fails_is_asked_again_until_it_answers(database: Database) -> None:
    async with listening("500 No", "503 No", "204 Yes") as listener, sending(database) as sender:
        await put(database, f"http://127.0.0.1:{listener.port}/")
        await keep_awake(sender, lambda: len(listener.requests) == 3)
        await until_gone(database)
    assert len({body for _, _, body in listener.requests}) == 1


async def keep_awake(sender: WebhookSender, condition: Callable[[], object]) -> None:
    """Poll at once, again and again, instead of once a second."""
    async with asyncio.timeout(10):
        while not condition():
            sender.wake()
            await asyncio.sleep(0.01)


async def test_a_receiver_that_never_answers_well_is_given_up_and_logged(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening("500 No") as listener, sending(database) as sender:
        await put(database, f"http://127.0.0.1:{listener.port}/")
        await keep_awake(sender, lambda: "given up" in caplog.text)
        await until_gone(database)
    assert len(listener.requests) == MAX_ATTEMPTS
    assert f"given up after {MAX_ATTEMPTS}: status 500" in caplog.text


@pytest.mark.parametrize("answer", ["404 Not Found", "400 Bad Request", "301 Moved\r\nlocation: /target"])
async def test_a_refusal_and_a_redirect_are_not_tried_again(database: Database, answer: str) -> None:
    async with listening(answer) as listener, sending(database):
        await put(database, f"http://127.0.0.1:{listener.port}/")
        await until_gone(database)
    assert [line for line, _, _ in listener.requests] == ["POST / HTTP/1.1"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost", "a@127.0.0.1"],
)
async def test_a_refused_address_is_not_called_although_its_row_is_there(
    database: Database, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening() as listener, sending(database, WebhookPolicy()):
        await put(database, f"http://{host}:{listener.port}/")
        await until_gone(database)
    assert listener.requests == []
    assert re.search("Webhook host blocked|Invalid", caplog.text)


async def test_a_name_whose_answer_changes_after_admission_is_not_called(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    names = Names([["93.184.215.14"], ["127.0.0.1"]])
    async with listening() as listener, sending(database, WebhookPolicy(), names) as sender:
        url = f"http://rebinding.example:{listener.port}/"
        await sender.check(url)
        await put(database, url)
        await until_gone(database)
    assert listener.requests == [] and "loopback IP range" in caplog.text


async def test_the_address_that_was_checked_is_the_one_connected_to(database: Database) -> None:
    names = Names([["127.0.0.1"], ["169.254.169.254"]])
    async with listening() as listener, sending(database, LOOPBACK, names):
        await put(database, f"http://hooks.example:{listener.port}/")
        await until_gone(database)
    assert len(names.asked) == 1
    assert listener.requests[0][1]["host"] == f"hooks.example:{listener.port}"


async def test_the_next_address_of_a_host_is_tried_where_one_does_not_answer(database: Database) -> None:
    async with listening() as listener, sending(database, LOOPBACK, Names([["127.0.0.9", "127.0.0.1"]])):
        await put(database, f"http://hooks.example:{listener.port}/")
        await until_gone(database)
    assert len(listener.requests) == 1


async def test_a_relative_url_is_a_path_of_this_server_where_loopback_is_allowed(database: Database) -> None:
    async with listening() as listener, sending(database, own_address=f"http://127.0.0.1:{listener.port}"):
        await put(database, "/own/path")
        await until_gone(database)
    assert listener.requests[0][0] == "POST /own/path HTTP/1.1"


async def test_a_slow_receiver_holds_up_nobody_else(database: Database) -> None:
    answered = asyncio.Event()
    async with listening(slow=answered) as listener, sending(database):
        await put(database, f"http://127.0.0.1:{listener.port}/slow")
        await until(lambda: listener.requests)
        for _ in range(20):
            await put(database, f"http://127.0.0.1:{listener.port}/quick")
        await until(lambda: len(listener.requests) == 21)
        answered.set()
        await until_gone(database)


async def test_two_senders_deliver_each_row_once(database: Database) -> None:
    async with listening() as listener:
        for n in range(40):
            await put(database, f"http://127.0.0.1:{listener.port}/{n}")
        async with sending(database), sending(database):
            await until_gone(database)
    assert sorted(line for line, _, _ in listener.requests) == sorted(f"POST /{n} HTTP/1.1" for n in range(40))
