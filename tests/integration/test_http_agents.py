"""Agents over HTTP on real sockets: what reaches them, what their failures become, and where no call may go."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from nodes.agents.calling import NoAnswer, ask
from nodes.agents.http import HttpKind
from nodes.teams.steps import Step
from server.agents.client import MAX_ANSWER_BYTES, check_endpoint, checked_client
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.errors import AgentFailed, BadRequest, LabError, TimedOut, Unavailable
from state.flows import AgentSpec
from tests.fakes import FakeModels
from tests.unit.nodes.agents.records import agent

LOOPBACK = (ip_network("127.0.0.0/8"),)
KEY = "sk-very-secret-4711"
CALL = AgentCall("write", "zoe", "hi", {"user_query": "hi", "context": {}}, {"timeout": 5}, UUID(int=7))
WELL = b'{"output": {"response": "hello", "status": "completed"}}'
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Listener:
    """An HTTP server that keeps what it was sent and answers as it was told to."""

    answer: Answer
    port: int = 0
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Request line, headers, body."""
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(lambda _: writer.close())

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((head[0], headers, json.loads(body or b"null")))
            await self.answer(writer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[Listener]:
    listener = Listener(answer)
    server = await asyncio.start_server(listener.accept, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener
    for task in listener.serving:
        task.cancel()
    await asyncio.gather(*listener.serving, return_exceptions=True)


def says(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "connection: close", "", ""]
        with contextlib.suppress(ConnectionError):
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()

    return answer


def sends(*chunks: bytes) -> Answer:
    """Raw bytes, with nothing around them."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()

    return answer


async def drips(writer: asyncio.StreamWriter) -> None:
    """A header now and then, without an end, so that no pause is ever long."""
    with contextlib.suppress(ConnectionError):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: 1\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)


async def is_silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


NEEDS = AgentNeeds(models=FakeModels(), kinds=lambda: {"HttpAgent": HttpKind()}, http=checked_client(LOOPBACK))


async def process(endpoint: str, call: AgentCall = CALL, key: str | None = KEY) -> AgentReply:
    record = agent("zoe", endpoint=endpoint, api_key=SecretStr(key) if key else None)
    spec = AgentSpec(agent_id="zoe", agent_class="HttpAgent")
    return await HttpKind().make(spec, NEEDS, record).process(call)


async def test_an_agent_is_sent_exactly_the_input_and_the_config_with_its_key() -> None:
    async with listening(says(WELL)) as listener:
        reply = await process(f"{listener.url}/zoe/", replace(CALL, config={"timeout": 5, "endpoint": listener.url}))
        await process(listener.url, replace(CALL, attempt=2, execution_id=None), key=None)
    assert (reply.text, reply.output) == ("hello", {"response": "hello", "status": "completed"})
    (line, headers, body), (bare_line, bare, _) = listener.requests
    assert (line, bare_line) == ("POST /zoe/process HTTP/1.1", "POST /process HTTP/1.1")
    assert body == {"input": {"user_query": "hi", "context": {}}, "config": {"timeout": 5}}
    assert headers["authorization"] == f"Bearer {KEY}" and headers["x-api-key"] == KEY
    assert headers["content-type"] == "application/json" and headers["host"] == f"127.0.0.1:{listener.port}"
    assert headers["x-execution-id"] == str(UUID(int=7)) and headers["idempotency-key"].startswith(f"{UUID(int=7)}:w")
    assert not {"authorization", "x-api-key", "idempotency-key", "x-execution-id", "cookie"} & set(bare)


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (says(b'{"detail": "no ink"}', "500 No"), AgentFailed, "status 500: no ink"),
        (says(b"", "503 No"), AgentFailed, r"status 503: \(no words\)"),
        (says(b"", "429 No"), AgentFailed, "status 429"),
        (says(b"", "408 No"), AgentFailed, "status 408"),
        (says(b"", "425 No"), AgentFailed, "status 425"),
        (says(b'{"error": "bad"}', "400 No"), BadRequest, "refused the request, status 400: bad"),
        (says(b"", "401 No"), BadRequest, "refused the request, status 401"),
        (says(b"", "404 No"), BadRequest, "refused the request, status 404"),
        (says(b"", "302 No", "location: http://127.0.0.1:1/"), BadRequest, "a redirect, which is not followed"),
        (says(b"", "307 No", "location: /process"), BadRequest, "a redirect, which is not followed"),
        (says(b"", "204 No"), AgentFailed, "the answer is not JSON"),
        (says(b"<html>"), AgentFailed, "the answer is not JSON: <html>"),
        (says(b'{"output": NaN}'), AgentFailed, "the answer is not JSON"),
        (says(b"[" * 100_000), AgentFailed, "the answer is not JSON"),
        (says(b'{"result": 1}'), AgentFailed, "no 'output'"),
        (says(b'{"output": {"status": "failed", "error": "no ink"}}'), AgentFailed, "status 'failed': no ink"),
        (says(b"\x1f\x8b", "200 OK", "content-encoding: gzip"), AgentFailed, "compressed"),
        (says(b'{"output": "' + b"x" * MAX_ANSWER_BYTES + b'"}'), AgentFailed, "bigger than 5000000 bytes"),
        (says(b"x" * (MAX_ANSWER_BYTES + 1), "500 No"), AgentFailed, "bigger than 5000000 bytes"),
        (sends(), AgentFailed, "cannot be reached"),
        (sends(b"SSH-2.0-x\r\n\r\n"), AgentFailed, "cannot be reached"),
        (sends(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), AgentFailed, "cannot be reached"),
        (sends(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000 + b"\r\n\r\n"), AgentFailed, "cannot be reached"),
        (is_silent, TimedOut, r"no answer within 0\.2 s"),
    ],
    ids=(
        "500 503 429 408 425 400 401 404 302 307 204 html nan deep no-output failed gzip big big-500 closed "
        "not-http cut long-header silent"
    ).split(),
)
async def test_each_way_to_fail_has_its_error(answer: Answer, error: type[LabError], said: str) -> None:
    call = replace(CALL, config={"timeout": 0.2}) if answer is is_silent else CALL
    async with listening(answer) as listener:
        with pytest.raises(error, match=said) as failed:
            await process(listener.url, call)
    assert len(listener.requests) == 1 and "\n" not in str(failed.value) and len(str(failed.value)) < 500


async def test_nobody_there_is_a_failure() -> None:
    async with listening(says(WELL)) as listener:
        gone = listener.url
    with pytest.raises(AgentFailed, match="cannot be reached"):
        await process(gone)


async def test_an_answer_that_drips_for_ever_ends_with_the_timeout() -> None:
    spec = AgentSpec(agent_id="zoe", agent_class="HttpAgent")
    async with listening(drips) as listener:
        spec = spec.model_copy(update={"config": {"endpoint": listener.url, "timeout": 0.2}})
        with pytest.raises(NoAnswer, match=r"zoe: no answer within 0\.2 s"):
            await ask(Step("zoe", agent=spec), replace(CALL, config=spec.config), NEEDS, last=True)


async def test_the_key_is_in_no_message_and_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    echo = json.dumps({"detail": f"your headers: Bearer {KEY}, {KEY}"}).encode()
    texts = []
    with caplog.at_level(logging.DEBUG):
        for answer in (says(echo, "401 No"), says(echo, "500 No"), says(echo), says(KEY.encode())):
            async with listening(answer) as listener:
                with pytest.raises(LabError) as failed:
                    await process(listener.url)
            texts.append(str(failed.value))
        failing = json.dumps({"output": {"status": "error", "error": f"wrong key {KEY}"}}).encode()
        async with listening(says(failing)) as listener:
            with pytest.raises(AgentFailed, match=r"wrong key \*\*\*"):
                await process(listener.url)
    assert "***" in texts[0] and not any(KEY in text for text in texts)
    assert KEY not in caplog.text and KEY not in repr(HttpKind().make(_SPEC, NEEDS, _KEYED))


_SPEC = AgentSpec(agent_id="zoe", agent_class="HttpAgent")
_KEYED = agent("zoe", api_key=SecretStr(KEY))


@pytest.mark.parametrize("record", [agent("zoe", endpoint=None), agent("zoe", endpoint="ftp://a.example")], ids=str)
def test_a_registered_agent_without_a_good_endpoint_is_refused(record: Any) -> None:
    with pytest.raises(BadRequest, match="endpoint"):
        HttpKind().make(_SPEC, NEEDS, record)


@dataclass
class Names:
    """A resolver that answers each question with the next of `answers`, the last one again and again."""

    answers: Sequence[Sequence[str]]
    asked: int = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


async def nothing(host: str, port: int) -> Sequence[str]:
    raise OSError("no such name")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[::ffff:0:127.0.0.1]",
        "metadata.google.internal",
        "168.63.129.16",
    ],
)
async def test_no_spelling_of_an_inner_address_is_registered_or_called(host: str) -> None:
    with pytest.raises(BadRequest, match=r"agent address '.*' blocked: (.*LAB_ALLOWED_NETWORKS|cloud metadata)"):
        await check_endpoint(f"http://{host}:8001/zoe", ())
    async with checked_client(())(5.0) as client:
        with pytest.raises(BadRequest, match="blocked"):
            await client.post(f"http://{host}:1/process")


async def test_public_addresses_and_allowed_networks_are_accepted_and_told_in_one_form() -> None:
    assert await check_endpoint("HTTPS://8.8.8.8:443/a/", ()) == "https://8.8.8.8/a"
    assert await check_endpoint("http://agents.example/a", (), Names([["8.8.8.8"]])) == "http://agents.example/a"
    assert await check_endpoint("http://127.0.0.1:8001", LOOPBACK) == "http://127.0.0.1:8001"
    both = Names([["::1", "127.0.0.1"]])
    assert await check_endpoint("http://localhost:8001/zoe", LOOPBACK, both) == "http://localhost:8001/zoe"
    with pytest.raises(BadRequest, match="has no address"):
        await check_endpoint("http://nowhere.example", (), nothing)
    with pytest.raises(BadRequest, match="has no address"):
        await check_endpoint("http://nowhere.example", (), Names([[]]))
    with pytest.raises(BadRequest, match="metadata"):
        await check_endpoint("http://metadata.google.internal", (ip_network("0.0.0.0/0"),), Names([["8.8.8.8"]]))


async def test_a_name_that_leads_elsewhere_after_it_was_registered_is_not_called() -> None:
    names = Names([["8.8.8.8"], ["127.0.0.1"]])
    async with listening(says(WELL)) as listener:
        endpoint = await check_endpoint(f"http://agents.example:{listener.port}", (), names)
        needs = replace(NEEDS, http=checked_client((), names))
        with pytest.raises(BadRequest, match=r"'agents\.example' blocked: loopback IP range \(127\.0\.0\.1\)"):
            await HttpKind().make(_SPEC, needs, agent("zoe", endpoint=endpoint)).process(CALL)
    assert (names.asked, listener.requests) == (2, [])


async def test_a_name_is_resolved_once_a_call_and_only_its_allowed_addresses_are_connected_to() -> None:
    names = Names([["10.0.0.1", "127.0.0.9", "127.0.0.1"], ["10.0.0.1"]])
    async with listening(says(WELL)) as listener:
        needs = replace(NEEDS, http=checked_client(LOOPBACK, names))
        made = HttpKind().make(_SPEC, needs, agent("zoe", endpoint=f"http://agents.example:{listener.port}"))
        assert (await made.process(CALL)).text == "hello"
    assert names.asked == 1 and listener.requests[0][1]["host"] == f"agents.example:{listener.port}"


async def test_a_name_without_an_address_may_have_one_later() -> None:
    needs = replace(NEEDS, http=checked_client((), nothing))
    with pytest.raises(Unavailable, match=r"the name 'agents\.example' has no address"):
        await HttpKind().make(_SPEC, needs, agent("zoe", endpoint="http://agents.example")).process(CALL)


async def test_no_cookie_is_kept() -> None:
    async with listening(says(WELL, "200 OK", "set-cookie: mark=1; path=/")) as listener:
        async with checked_client(LOOPBACK)(5.0) as client:
            for _ in range(2):
                await client.get(listener.url)
            assert len(client.cookies.jar) == 0
        assert [headers.get("cookie") for _, headers, _ in listener.requests] == [None, None]


async def test_a_call_that_is_cut_off_closes_its_connection() -> None:
    begun, closed = asyncio.Event(), asyncio.Event()

    async def until_cut_off(writer: asyncio.StreamWriter) -> None:
        begun.set()
        await drips(writer)
        closed.set()

    async with listening(until_cut_off) as listener, asyncio.timeout(10):
        task = asyncio.create_task(process(listener.url))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await closed.wait()


async def test_many_calls_at_once_share_a_transport_that_no_client_closes() -> None:
    async with listening(says(WELL)) as listener:
        replies = await asyncio.gather(*(process(listener.url) for _ in range(120)))
        assert {reply.text for reply in replies} == {"hello"} and len(listener.requests) == 120
    async with checked_client(())(5.0) as client:
        assert isinstance(client, httpx.AsyncClient) and not client.follow_redirects and not client.trust_env
