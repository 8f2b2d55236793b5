"""Runs over WebSockets: real sockets to the whole application in this process; the same events as over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.db.listeners import ListenerRows
from server.lab import TENANT
from server.streaming.listeners import Left, Listeners, open_listeners
from server.streaming.uvicorn_websockets import BoundedWebSockets
from tests.acceptance.protocol.talking import MISSING, Said, said
from tests.integration.served import Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAPHS = '''
import asyncio
from pathlib import Path
from typing import TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph


class Talk(TypedDict, total=False):
    times: int
    size: int
    gate: str
    said: int


async def say(state: Talk) -> Talk:
    """Says a text of `size` characters `times` times; half of them when there is a file `gate`."""
    writer = get_stream_writer()
    for number in range(state["times"]):
        while number == state["times"] // 2 and "gate" in state and not Path(state["gate"]).exists():
            await asyncio.sleep(0.02)
        writer({"number": number, "text": "x" * state.get("size", 1)})
        await asyncio.sleep(0)
    return {"said": state["times"]}


built = StateGraph(Talk)
built.add_node("say", say)
built.add_edge(START, "say")
talks = built.compile()
'''
MAX_MESSAGE = 100_000
TELLS = {"assistant_id": "talks", "stream_mode": ["updates", "custom"], "stream_resumable": True}


@dataclass
class Agent:
    """The agent `slowly`, asked over HTTP: it answers when `gate` is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    calls: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self.calls.add(task)
        task.add_done_callback(lambda _: writer.close())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = (await reader.readuntil(b"\r\n\r\n")).startswith(b"POST /process")
            self.asked += asked
            if asked:
                await self.gate.wait()
            body = b'{"output": {"response": "at last", "status": "completed"}}'
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()


@dataclass
class World:
    """`server` is the application on a real socket, at `port`."""

    served: Served
    server: uvicorn.Server
    port: int
    agent: Agent

    def connect(self, path: str, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}{path}", **{"compression": None, "proxy": None, **options})

    @asynccontextmanager
    async def executing(self, **more: Any) -> AsyncIterator[ClientConnection]:
        """A client that asked for an execution by the agent `slowly`, which is at work."""
        self.agent.gate.clear()
        before = self.agent.asked
        async with self.connect("/ws/execute") as client:
            asks = {"prompt": "hello", "execution_type": "orchestrator", "agents": ["slowly"], **more}
            await client.send(json.dumps(asks))
            await until(lambda: self.agent.asked > before)
            yield client

    async def start(self, **given: Any) -> str:
        """The id of a run of `talks` in the background."""
        return str((await self.served.ok("POST", "/runs", json={**TELLS, "input": given}))["run_id"])

    async def over_http(self, path: str, after: str = "-1") -> list[Said]:
        answer = await self.served.http.get(path, headers={"Last-Event-ID": after})
        return said(answer.text)

    async def status(self, run_id: str) -> str:
        return (await self.served.lab.queue.get(TENANT, UUID(run_id))).status

    async def ends_as(self, run_id: str, expected: str) -> None:
        async with asyncio.timeout(20):
            while (status := await self.status(run_id)) in ("pending", "running"):
                await asyncio.sleep(0.02)
        assert status == expected

    @asynccontextmanager
    async def bounded(self, listeners: Listeners | None = None, **seconds: float) -> AsyncIterator[None]:
        """The same application with other bounds of its WebSockets."""
        state, before = self.served.app.state, self.served.lab
        state.lab = replace(
            before,
            socket_bounds=replace(before.socket_bounds, **seconds),
            listeners=listeners or before.listeners,
        )
        try:
            yield
        finally:
            state.lab = before

    def listeners(self, grace: float) -> Any:
        """Those of a process; another one than that of the application, too."""
        lab = self.served.lab
        return open_listeners(
            ListenerRows(lab.database.pool, lab.database.dsn),
            lambda tenant, run_id: lab.queue.cancel(tenant, [run_id], "interrupt"),
            grace_seconds=grace,
            beat_seconds=grace / 5,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("sockets")
    (folder / "talking.py").write_text(GRAPHS)
    config = folder / "langgraph.json"
    graphs = {"talks": "./talking.py:talks", "crew": "graphs.crews.build:make_graph"}
    config.write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    agent = Agent()
    answering = await asyncio.start_server(agent.accept, "127.0.0.1", 0)
    networks = (ip_network("127.0.0.0/8"),)
    async with serving(postgres, folder, config=config, allowed_networks=networks) as served:
        endpoint = f"http://127.0.0.1:{answering.sockets[0].getsockname()[1]}"
        await served.ok("POST", "/agents", 201, json={"agent_id": "slowly", "agent_type": "slow", "endpoint": endpoint})
        async with listening(served) as (server, port):
            yield World(served, server, port, agent)
    agent.gate.set()
    answering.close()
    await asyncio.gather(*agent.calls)


@asynccontextmanager
async def listening(served: Served) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """The application on a real socket, as `lab serve` has it; gives the port, too."""
    options = uvicorn.Config(
        served.app,
        lifespan="off",
        log_config=None,
        ws=BoundedWebSockets,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
    )
    server = uvicorn.Server(options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server._serve([listener]))
        await until(lambda: server.started)
        yield server, listener.getsockname()[1]
        server.should_exit = True
        await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def heard(client: ClientConnection, most: int | None = None) -> list[Said]:
    """What the client is told to the end, or so many messages of it."""
    found: list[Said] = []
    with suppress(ConnectionClosed):
        while most is None or len(found) < most:
            told = json.loads(await client.recv())
            found.append(Said(told["event"], told["data"], told.get("id", "")))
    return found


async def refused(client: ClientConnection) -> tuple[int, dict[str, Any]]:
    """The code with which the client is closed, and the problem that it is told before."""
    (told,) = await heard(client)
    assert told.event == "error" and told.id == "" and client.close_code is not None
    assert str(told.data["detail"]).startswith(client.close_reason or "-")
    return client.close_code, told.data


def numbers(events: Sequence[Said]) -> list[int]:
    return [int(event.id) for event in events]


async def test_a_run_is_told_as_over_http_wherever_the_client_was_cut(world: World, tmp_path: Path) -> None:
    run_id = await world.start(times=8, gate=str(tmp_path / "gate"))
    first: list[list[Said]] = []
    for cut in (1, 3, 5):  # its 5th event is the last before the gate
        async with world.connect(f"/ws/runs/{run_id}") as client:
            first.append(await heard(client, cut))
    (tmp_path / "gate").touch()
    whole = await world.over_http(f"/runs/{run_id}/stream")
    assert [event.event for event in whole] == ["metadata", *["custom"] * 8, "updates"]
    for begun in first:
        async with world.connect(f"/ws/runs/{run_id}?last_event_id={begun[-1].id}") as client:
            assert begun + await heard(client) == whole
            assert client.close_code == 1000
    assert numbers(whole) == list(range(1, 11))


@pytest.mark.parametrize("last", [None, "0", "-1", "4", "10", "99999999999999999999999", "x"])
async def test_the_last_event_may_be_named_in_the_address_or_in_a_header(world: World, last: str | None) -> None:
    run_id = await world.start(times=8)
    whole = await world.over_http(f"/runs/{run_id}/stream")
    heard_already = {"4": 4, "10": 10, "99999999999999999999999": 10}.get(str(last), 0)
    query = f"?last_event_id={last}" if last is not None else ""
    async with world.connect(f"/ws/runs/{run_id}{query}") as client:
        by_address = await heard(client)
    async with world.connect(
        f"/ws/runs/{run_id}", additional_headers={"Last-Event-ID": last} if last is not None else {}
    ) as client:
        assert by_address == await heard(client)
    if last != "x":
        assert by_address == whole[heard_already:]


async def test_an_execution_is_told_as_its_log_has_it(world: World) -> None:
    async with world.executing() as client:
        assert client.response is not None
        execution_id = client.response.headers["X-Execution-ID"]
        world.agent.gate.set()
        told = await heard(client)
        assert client.close_code == 1000
    assert [event.event for event in told[:2]] == ["metadata", "run"] and told[-1].event == "result"
    assert told[0].data["run_id"] == execution_id and told[1].data["run_id"] == execution_id
    assert numbers(told) == list(range(1, len(told) + 1))
    assert told == await world.over_http(f"/runs/{execution_id}/stream")
    async with world.connect(f"/ws/runs/{execution_id}?last_event_id=2") as client:
        assert await heard(client) == told[2:]


async def test_an_execution_of_a_crew_is_told_as_over_http(world: World) -> None:
    world.agent.gate.set()
    crew = {"crew_id": "sockets", "agents": [{"agent_id": "echo", "agent_class": "Echo"}]}
    await world.served.ok("PUT", "/api/v1/crew", 201, json=crew)
    begun = {"crew_id": "sockets", "query": "hello", "wait": True}
    job_id = (await world.served.ok("POST", "/api/v1/crew/execute", json=begun))["job_id"]
    whole = await world.over_http(f"/executions/{job_id}/stream")
    assert whole[-1].event == "result"
    async with world.connect(f"/ws/executions/{job_id}") as client:
        assert await heard(client) == whole
    for last, rest in ((whole[0].id, whole[1:]), (whole[-1].id, [])):
        async with world.connect(f"/ws/executions/{job_id}?last_event_id={last}") as client:
            assert await heard(client) == rest
            assert client.close_code == 1000


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"runs/{MISSING}", 4404),
        ("runs/nothing", 4422),
        (f"executions/{MISSING}", 4404),
        ("executions/nothing", 4422),
    ],
)
async def test_what_is_not_there_is_told_before_the_close(world: World, path: str, code: int) -> None:
    async with world.connect(f"/ws/{path}") as client:
        closed, problem = await refused(client)
        assert (closed, problem["status"]) == (code, code - 4000)
        assert client.response is not None
        assert problem["execution_id"] == client.response.headers["X-Execution-ID"]


@pytest.mark.parametrize(
    ("first", "code", "told"),
    [
        ("", 4422, "Invalid JSON"),
        ("{", 4422, "Invalid JSON"),
        (b"\xff\xfe", 4422, "Invalid JSON"),
        ('{"prompt": NaN}', 4422, "Invalid JSON"),
        ('{"prompt": "\\ud800"}', 4422, "Invalid JSON"),
        ("[" * 5_000 + "]" * 5_000, 4422, "JSON"),
        ("[" * 250 + "]" * 250, 4400, "Recursion limit"),
        ("[]", 4422, "body"),
        ("7", 4422, "body"),
        ('{"type": "ping"}', 4422, "type"),
        ('{"prompt": "x", "execution_type": "neither"}', 4422, "execution_type"),
        ('{"prompt": "x", "model": "none such"}', 4404, "none such"),
        ('{"prompt": "x", "model": "a\\u0000b"}', 4404, "a\ufffdb"),
    ],
    ids=[
        *("empty", "cut", "binary", "nan", "surrogate", "deepest", "deep", "list", "number", "command"),
        *("kind", "model", "nul"),
    ],
)
async def test_a_first_message_that_asks_for_nothing_is_refused(
    world: World, first: str | bytes, code: int, told: str
) -> None:
    async with world.connect("/ws/execute") as client:
        await client.send(first)
        closed, problem = await refused(client)
        assert closed == code and told in problem["detail"]


async def test_who_says_nothing_first_is_sent_away(world: World) -> None:
    async with world.bounded(first=0.05), world.connect("/ws/execute") as client:
        code, problem = await refused(client)
    assert code == 4422 and "0.05 s" in problem["detail"]


async def test_a_message_beyond_the_bound_ends_the_connection(world: World) -> None:
    async with world.connect("/ws/execute") as client:
        with suppress(ConnectionClosed):
            await client.send("x" * (MAX_MESSAGE + 1))
        assert await heard(client) == [] and client.close_code == 1009


async def test_a_client_may_ping_cancel_and_err_while_it_listens(world: World) -> None:
    async with world.executing() as client:
        run_id = (await heard(client, 1))[0].data["run_id"]
        for text in ('{"type": "ping"}', '{"type": "dance"}', "{", '["ping"]', '{"type": ["ping"]}', b"\xff"):
            await client.send(text)
        answers: list[Said] = []
        while len(answers) < 6:
            answers += [event for event in await heard(client, 1) if event.id == ""]
        assert answers[0] == Said("pong", None) and {event.event for event in answers[1:]} == {"refused"}
        assert '{"type": "cancel"}' in answers[1].data["detail"]
        await client.send('{"type": "cancel"}')
        told = await heard(client)
        assert told[-1].event == "error" and told[-1].data["status"] == 409 and client.close_code == 1000
    await world.ends_as(run_id, "interrupted")


async def test_a_quiet_run_is_kept_alive_with_pings(world: World) -> None:
    async with world.bounded(beat=0.05), world.executing() as client:
        run_id = (await heard(client, 1))[0].data["run_id"]
        pings = 0
        while pings < 3:
            pings += (await heard(client, 1))[0] == Said("ping", None)
        world.agent.gate.set()
        told = [event for event in await heard(client) if event.event != "ping"]
    assert told[-1].event == "result" and told[-1] in await world.over_http(f"/runs/{run_id}/stream")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}], ids=str)
async def test_other_pages_and_hosts_are_refused(world: World, headers: dict[str, str]) -> None:
    origin = headers.get("Origin")
    with pytest.raises(InvalidStatus) as told:
        if origin:
            await world.connect("/ws/execute", origin=origin)
        else:
            await connect(f"ws://evil.example:{world.port}/ws/execute", host="127.0.0.1", proxy=None)
    assert told.value.response.status_code == 403


async def test_a_page_of_a_front_end_is_let_in(world: World) -> None:
    run_id = await world.start(times=1)
    async with world.connect(f"/ws/runs/{run_id}", origin="http://localhost:3000") as client:
        assert len(await heard(client)) == 3


async def test_a_client_that_does_not_read_is_sent_away_and_its_run_goes_on(world: World) -> None:
    run_id = await world.start(times=300, size=5_000)
    async with world.bounded(send=0.3):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", world.port))
        async with world.connect(f"/ws/runs/{run_id}", sock=narrow, max_queue=1) as client:
            await world.ends_as(run_id, "success")
            await until(lambda: not world.server.server_state.tasks)  # it has been given up
            begun = await heard(client)
            assert client.close_code == 1013
            assert client.close_reason == f"too slow; the run goes on, come again with last_event_id={begun[-1].id}"
    async with world.connect(f"/ws/runs/{run_id}?last_event_id={begun[-1].id}") as client:
        assert begun + await heard(client) == await world.over_http(f"/runs/{run_id}/stream")


async def test_an_execution_is_cancelled_when_its_client_leaves_and_nobody_comes(world: World) -> None:
    async with world.listeners(0.2) as listeners, world.bounded(listeners):
        async with world.executing() as client:
            run_id = (await heard(client, 1))[0].data["run_id"]
        await world.ends_as(run_id, "interrupted")


async def test_an_execution_in_the_background_is_nobodys(world: World) -> None:
    async with world.listeners(0.05) as listeners, world.bounded(listeners):
        async with world.executing(background=True) as client:
            run_id = (await heard(client, 1))[0].data["run_id"]
        await until(lambda: not world.server.server_state.tasks)
        assert not listeners.waiting
        world.agent.gate.set()
        await world.ends_as(run_id, "success")


async def test_who_comes_again_in_time_has_the_execution_from_then_on(world: World) -> None:
    async with world.listeners(0.4) as here, world.listeners(0.4) as elsewhere:
        async with world.bounded(here), world.executing() as client:
            run_id = (await heard(client, 2))[0].data["run_id"]
        run = await world.served.lab.queue.get(TENANT, UUID(run_id))
        with suppress(Left):
            async with elsewhere.present(TENANT, run):  # in another process
                await until(lambda: here.waiting)
                await until(lambda: not here.waiting)
                assert await world.status(run_id) == "running"
                async with world.bounded(here), world.connect(f"/ws/runs/{run_id}?last_event_id=2") as client:
                    await heard(client, 1)
                await until(lambda: here.waiting)
                await until(lambda: not here.waiting)
                assert await world.status(run_id) == "running"
                raise Left(1001)
        address = f"http://127.0.0.1:{world.port}/runs/{run_id}/stream"
        async with (
            world.bounded(here),
            httpx.AsyncClient() as http,
            http.stream("GET", address, headers={"Last-Event-ID": "-1"}) as response,
        ):
            assert await anext(response.aiter_lines()) == "event: metadata"
            await until(lambda: not elsewhere.waiting)
            assert await world.status(run_id) == "running"
        await world.ends_as(run_id, "interrupted")
