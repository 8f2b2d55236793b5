"""Agents that speak A2A: a real server of the official SDK on loopback, found by its card and asked."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import uvicorn
from a2a.helpers import (
    get_data_parts,
    new_data_part,
    new_task_from_user_message,
    new_text_message,
    new_text_part,
    new_url_part,
)
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from nodes.agents.a2a import A2AKind, Card, card_of
from nodes.agents.calling import NoAnswer, ask
from nodes.teams.steps import Step
from server.agents.client import checked_client
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.errors import AgentFailed, BadRequest, LabError
from state.flows import AgentSpec
from tests.fakes import FakeModels
from tests.unit.nodes.agents.records import agent

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-a2a-secret"
NEEDS = AgentNeeds(
    models=FakeModels(),
    kinds=lambda: {"A2AAgent": A2AKind()},
    http=checked_client((ip_network("127.0.0.0/8"),)),
)
CALL = AgentCall("write", "zoe", "", {"topic": "ink", "n": 2}, {"timeout": 5, "tone": "dry"}, UUID(int=7))


class Zoe(AgentExecutor):
    """Does what the text of the message says."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.go_on = asyncio.Event()

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        message = context.message
        assert message is not None
        order = context.get_user_input()
        self.heard.append((message.message_id, get_data_parts(message.parts)))
        if order == "say":
            await event_queue.enqueue_event(new_text_message("hello"))
            return
        if order == "break":
            raise RuntimeError("no ink")
        await event_queue.enqueue_event(new_task_from_user_message(message))
        task = TaskUpdater(event_queue, str(context.task_id), str(context.context_id))
        await task.start_work()
        if order == "work":
            await self.go_on.wait()
        match order:
            case "fail":
                await task.failed(new_text_message(f"no ink, {KEY}"))
            case "reject":
                await task.reject(new_text_message("not mine"))
            case "ask":
                await task.requires_input(new_text_message("which ink?"))
            case "data":
                await task.add_artifact([new_data_part({"rows": [1, 2.5]})])
                await task.complete()
            case "end":
                await task.complete(new_text_message("done"))
            case _:
                parts = [new_text_part("one"), new_data_part({"n": 1}), new_url_part("http://x.example/f")]
                await task.add_artifact(parts)
                await task.add_artifact([new_text_part("two"), new_data_part([3])])
                await task.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        raise NotImplementedError


class Served:
    """The server's address, the agent in it, and the headers of what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.zoe = Zoe()
        self.headers: list[tuple[str, dict[str, str]]] = []
        self.answers: list[dict[str, Any]] = []
        self.heard: list[str] = []
        self.card = AgentCard(
            name="Zoe\nof ink",
            description="writes",
            version="1",
            supported_interfaces=[AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="1.0")],
            capabilities=AgentCapabilities(streaming=True),
            default_input_modes=["text/plain", "application/json"],
            default_output_modes=["text/plain"],
            skills=[
                AgentSkill(id="write", name="Write", description="", tags=["writing", "ink", " "]),
                AgentSkill(id="x" * 65, name="Long", description="", tags=["writing"]),
            ],
        )

    def app(self) -> Starlette:
        handler = DefaultRequestHandler(self.zoe, InMemoryTaskStore(), self.card)
        odd: dict[str, Response] = {
            "list": JSONResponse([1]),
            "text": PlainTextResponse("<html>"),
            "no-interfaces": JSONResponse({"name": "x"}),
            "wrong": JSONResponse({"name": 5, "skills": 7}),
            "locked": JSONResponse({"error": KEY}, 401),
            "down": JSONResponse({}, 503),
            "moved": JSONResponse({}, 302, {"location": f"{self.url}/.well-known/agent-card.json"}),
            "inside": JSONResponse(
                {
                    "name": "x",
                    "version": "1",
                    "supportedInterfaces": [
                        {"url": "http://10.0.0.1/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
                    ],
                }
            ),
        }

        async def odd_card(request: Request) -> Response:
            return odd[request.path_params["name"]]

        return Starlette(
            routes=[
                *create_agent_card_routes(self.card),
                *create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=True),
                Route("/{name}/.well-known/agent-card.json", odd_card),
                Route("/by-hand/rpc", self.by_hand, methods=["POST"]),
            ]
        )

    async def by_hand(self, request: Request) -> Response:
        """Answers with what is next in `answers`."""
        asked = await request.json()
        self.heard.append(asked["method"])
        return JSONResponse({"jsonrpc": "2.0", "id": asked["id"], **self.answers.pop(0)})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.headers.append((scope["path"], headers))
        await self._app(scope, receive, send)

    @contextlib.asynccontextmanager
    async def running(self, listener: socket.socket) -> AsyncIterator[Served]:
        self._app = self.app()
        server = uvicorn.Server(uvicorn.Config(self, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield self
        finally:
            server.should_exit = True
            await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with Served(f"http://127.0.0.1:{listener.getsockname()[1]}").running(listener) as server:
            yield server


@pytest.fixture
def served(server: Served) -> Served:
    """The one server, as if it had just begun."""
    server.card.CopyFrom(Served(server.url).card)
    server.zoe.heard, server.headers, server.heard = [], [], []
    server.zoe.go_on.clear()
    return server


async def process(url: str, text: str, key: str | None = None) -> AgentReply:
    record = agent("zoe", endpoint=url, agent_class="A2AAgent", api_key=SecretStr(key) if key else None)
    made = A2AKind().make(AgentSpec(agent_id="zoe", agent_class="A2AAgent"), NEEDS, record)
    return await made.process(replace(CALL, text=text))


async def test_a_card_tells_who_the_agent_is_and_what_it_can_do(served: Served) -> None:
    card = await card_of(f"{served.url}/", NEEDS, SecretStr(KEY))
    assert card == Card("Zoe of ink", "writes", ("write", "writing", "ink"))
    assert served.headers[0][1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("text", "output", "said"),
    [
        ("say", {"response": "hello"}, "hello"),
        ("end", {"response": "done"}, "done"),
        ("data", {"rows": [1, 2.5]}, '{"rows":[1,2.5]}'),
        (
            "all",
            {
                "response": "one\ntwo",
                "data": [{"n": 1}, [3]],
                "files": [{"name": "", "media_type": "", "url": "http://x.example/f"}],
            },
            "one\ntwo",
        ),
    ],
)
async def test_messages_and_artifacts_become_the_output(served: Served, text: str, output: Any, said: str) -> None:
    reply = await process(served.url, text, KEY)
    assert (reply.output, reply.text) == (output, said)


async def test_sent_are_the_text_and_the_input_under_one_id_for_each_attempt_with_the_key(served: Served) -> None:
    await process(served.url, "say", KEY)
    await process(served.url, "say", KEY)
    (first, data), (second, _) = served.zoe.heard
    assert data == [{"topic": "ink", "n": 2}] and first == second
    assert {path for path, _ in served.headers} == {"/.well-known/agent-card.json", "/rpc"}
    assert all(headers["x-api-key"] == KEY for _, headers in served.headers)


async def test_a_task_that_takes_its_time_is_waited_for(served: Served) -> None:
    working = asyncio.create_task(process(served.url, "work"))
    async with asyncio.timeout(10):
        while not served.zoe.heard:
            await asyncio.sleep(0.01)
    assert not working.done()
    served.zoe.go_on.set()
    assert (await working).text == "one\ntwo"


def task(state: str) -> dict[str, Any]:
    artifacts = [{"artifactId": "a", "parts": [{"text": "hello"}]}] if state == "COMPLETED" else []
    return {"id": "t", "contextId": "c", "status": {"state": f"TASK_STATE_{state}"}, "artifacts": artifacts}


async def test_a_task_that_goes_on_is_looked_at_until_it_ends(served: Served) -> None:
    served.card.supported_interfaces[0].url = f"{served.url}/by-hand/rpc"
    served.answers = [{"result": {"task": task("SUBMITTED")}}, {"result": task("WORKING")}]
    served.answers.append({"result": task("COMPLETED")})
    assert (await process(served.url, "say")).text == "hello"
    assert served.heard == ["SendMessage", "GetTask", "GetTask"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"error": {"code": -32602, "message": "no such ink"}}, BadRequest, "refused the request: no such ink"),
        ({"error": {"code": -32005, "message": "no JSON"}}, BadRequest, "refused the request: no JSON"),
        ({"error": {"code": -32603, "message": f"broke {KEY}"}}, AgentFailed, r"broke \*\*\*"),
        ({"error": {"code": 7, "message": "odd"}}, AgentFailed, "odd"),
        ({}, AgentFailed, "."),
        ({"result": []}, AgentFailed, "."),
        ({"result": {}}, AgentFailed, "no A2A answer: ValueError"),
        ({"result": {"task": {"status": {"state": 99}}}}, AgentFailed, "unknown here, 99"),
    ],
    ids=["params", "content", "internal", "unknown", "nothing", "list", "empty", "state"],
)
async def test_refusals_and_failures_of_the_protocol_are_told_apart(
    served: Served, answer: dict[str, Any], error: type[LabError], said: str
) -> None:
    served.card.supported_interfaces[0].url = f"{served.url}/by-hand/rpc"
    served.answers = [answer, {"error": {"code": -32001, "message": "no such task"}}]
    with pytest.raises(error, match=said):
        await process(served.url, "say", KEY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fail", r"the task failed: no ink, \*\*\*"),
        ("reject", "the task was rejected: not mine"),
        ("ask", "asks for more input, which a step cannot give: which ink"),
        ("break", "."),
    ],
)
async def test_a_task_that_ends_otherwise_is_a_failure(served: Served, text: str, said: str) -> None:
    with pytest.raises(AgentFailed, match=said):
        await process(served.url, text, KEY)


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("list", AgentFailed, "must be a JSON object"),
        ("text", AgentFailed, "JSON"),
        ("wrong", AgentFailed, "."),
        ("no-interfaces", AgentFailed, "no compatible transports"),
        ("locked", BadRequest, "refused the request, status 401"),
        ("missing/x", BadRequest, "refused the request, status 404"),
        ("down", AgentFailed, "status 503"),
        ("moved", BadRequest, "a redirect"),
        ("inside", BadRequest, r"'10\.0\.0\.1' blocked: private IP range"),
    ],
)
async def test_a_card_that_is_none_or_leads_inside_is_refused(
    served: Served, path: str, error: type[LabError], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(error, match=said) as refused:
        await process(f"{served.url}/{path}", "say", KEY)
    assert KEY not in str(refused.value) + caplog.text and "\n" not in str(refused.value)


async def test_the_key_goes_to_no_other_place_than_the_one_it_was_registered_for(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = Served(f"http://127.0.0.1:{listener.getsockname()[1]}")
        other.card.supported_interfaces[0].url = f"{served.url}/rpc"
        async with other.running(listener):
            assert (await process(other.url, "say", KEY)).text == "hello"
    assert other.headers[0][1]["x-api-key"] == KEY
    ((path, headers),) = served.headers
    assert path == "/rpc" and not {"x-api-key", "authorization"} & set(headers)


async def test_an_older_agent_is_spoken_to_in_its_own_version(served: Served) -> None:
    served.card.supported_interfaces[0].protocol_version = "0.3"
    assert (await process(served.url, "say")).text == "hello"


async def test_a_crews_own_a2a_agent_is_bounded_by_its_timeout(served: Served) -> None:
    config = {"endpoint": served.url, "timeout": 0.3}
    spec = AgentSpec(agent_id="zoe", agent_class="A2AAgent", config=config)
    call = replace(CALL, text="work", config=config)
    with pytest.raises(NoAnswer, match=r"zoe: no answer within 0\.3 s"):
        await ask(Step("zoe", agent=spec), call, NEEDS, last=True)
    served.zoe.go_on.set()


@pytest.mark.parametrize(
    "call", [replace(CALL, text="\ud800"), replace(CALL, input={"x": object()})], ids=["text", "input"]
)
async def test_what_cannot_be_sent_is_no_fault_of_the_agent(served: Served, call: AgentCall) -> None:
    made = A2AKind().make(AgentSpec(agent_id="zoe", agent_class="A2AAgent"), NEEDS, agent("zoe", endpoint=served.url))
    with pytest.raises(BadRequest, match="cannot be sent as JSON"):
        await made.process(call)
    assert served.headers == []


async def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(AgentFailed, match="communication error"):
        await process(url, "say")
