"""What a look at an agent says of its health, and what a terminal and a client are told of agents."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from server.agents.directory import hint
from server.agents.poller import HealthPoller, judged, look, pause_seconds, unreached
from server.cli.agents.entries import read_agents, read_key
from server.cli.agents.listing import agent_grid, agent_table, figures_line, read_status
from server.cli.terminal import wide_console
from server.db.agent_runs import AgentFigures
from server.db.agent_shapes import Looked, ToCheck
from server.wire.agents import AgentInfo, agent_info, breaker_info
from state.agents import AgentRecord, Breaker
from state.errors import AgentFailed, BadRequest, NoDatabase

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "health"),
    [(200, "healthy"), (204, "healthy"), (307, "healthy"), (401, "healthy"), (404, "healthy"), (405, "healthy"),
     (501, "healthy"), (500, "unhealthy"), (502, "unhealthy"), (503, "unhealthy")],
)  # fmt: skip
def test_whoever_answers_is_there_unless_it_says_that_it_is_broken(status: int, health: str) -> None:
    looked = judged(status, 0.5)
    assert (looked.health, looked.seconds) == (health, 0.5)
    assert (looked.error is None) == (health == "healthy") and str(status) in (looked.error or str(status))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TimeoutError(), "no answer to its health check within 5 s"),
        (httpx.ConnectTimeout("x"), "no answer to its health check within 5 s"),
        (httpx.ConnectError("refused"), "its health check failed: ConnectError: refused"),
        (httpx.RemoteProtocolError(""), "its health check failed: RemoteProtocolError"),
        (BadRequest("agent address blocked: loopback"), "agent address blocked: loopback"),
        (AgentFailed("the answer is\ncompressed \0"), "the answer is compressed \ufffd"),
    ],
)
def test_why_there_was_no_answer_is_told_in_a_line(error: Exception, told: str) -> None:
    assert unreached(error).error == told and unreached(error).health == "unhealthy"


async def test_nothing_that_a_client_raises_ends_the_looks() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise KeyError("a layer below")

    async with httpx.AsyncClient(transport=httpx.MockTransport(broken)) as client:
        assert (await look(client, "http://a.example")).error == "its health check failed: KeyError: 'a layer below'"
        assert (await look(client, "http://[")).health == "unhealthy"


class Kept:
    """What is kept of looks; the first time Postgres is away."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    async def record_health(self, agent: ToCheck, looked: Looked) -> None:
        self.kept.append(looked.health)
        if len(self.kept) == 1:
            raise NoDatabase("away")


async def test_those_who_ask_at_the_same_time_share_a_look_and_one_that_came_to_nothing_is_made_again() -> None:
    asked, may_answer = 0, asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await may_answer.wait()
        return httpx.Response(200)

    def client(timeout: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(answer), timeout=timeout)

    agents, agent = Kept(), ToCheck("default", "a", "http://a.example")
    poller = HealthPoller(agents, None, client, interval=30, call_days=1)  # type: ignore[arg-type]
    looks = [asyncio.create_task(poller.check(agent)) for _ in range(4)]
    while not asked:
        await asyncio.sleep(0)
    looks[1].cancel()
    may_answer.set()
    told = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(one) for one in told] == [NoDatabase, asyncio.CancelledError, Looked, Looked]
    assert (asked, told[2]) == (2, told[3])
    assert (await poller.check(agent)).health == "healthy" and asked == 3, "whoever asks later is told what is then"


class ReadOnly:
    """A registry over a Postgres that may only be read for a while: psycopg tells that as no lost connection."""

    def __init__(self) -> None:
        self.asked = 0
        self.again = asyncio.Event()

    async def claim_checks(self, limit: int, seconds: float) -> list[ToCheck]:
        self.asked += 1
        if self.asked == 1:
            raise psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE in a read-only transaction")
        self.again.set()
        return []

    async def note_silence(self, seconds: float) -> list[str]:
        return []

    async def close_lost(self) -> None: ...

    async def forget(self, days: float) -> None: ...


async def test_looks_go_on_when_postgres_takes_writes_again(caplog: pytest.LogCaptureFixture) -> None:
    rows: Any = ReadOnly()
    poller = HealthPoller(rows, rows, lambda timeout: httpx.AsyncClient(), interval=1.0, call_days=1.0)
    async with asyncio.timeout(10), poller.running():
        await rows.again.wait()
    assert "health checks wait: cannot execute UPDATE" in caplog.text


@pytest.mark.parametrize(("interval", "seconds"), [(1.0, 0.1), (10.0, 1.0), (30.0, 2.0), (86_400.0, 2.0)])
def test_a_short_interval_is_kept_and_a_long_one_costs_little(interval: float, seconds: float) -> None:
    assert pause_seconds(interval) == seconds


@pytest.mark.parametrize(
    ("open_until", "probe_until", "state"),
    [(None, None, "closed"), (60, None, "open"), (-1, None, "half-open"), (-1, 60, "half-open"), (60, -1, "open")],
)
def test_a_breaker_is_told_in_a_word(open_until: int | None, probe_until: int | None, state: str) -> None:
    moments = [None if seconds is None else NOW + timedelta(seconds=seconds) for seconds in (open_until, probe_until)]
    record = a_record(breaker=Breaker(5, *moments))
    assert breaker_info(record, NOW).state == state


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([], "none is registered"),
        (["writer", "tester"], "did you mean: writer?"),
        (["zoe"], "registered are: zoe"),
        (list("abcdefg"), "registered are: a, b, c, d, e and 2 more"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_others(known: list[str], told: str) -> None:
    assert hint("writr", known) == told


def a_record(**fields: object) -> AgentRecord:
    given = {
        "agent_id": "zoe", "name": "Zoe", "description": "", "agent_type": "input", "agent_class": "HttpAgent",
        "endpoint": "http://a.example", "capabilities": ("chat",), "config": {}, "tools": (), "system_prompt": "",
        "metadata": {}, "origin": "api", "enabled": True, "health": "unknown", "health_error": None,
        "health_seconds": None, "checked_at": None, "heartbeat_at": None, "message_count": 1_234, "created_at": NOW,
        "updated_at": NOW, **fields,
    }  # fmt: skip
    return AgentRecord(**given)  # type: ignore[arg-type]


def an_info(**fields: object) -> AgentInfo:
    return agent_info(a_record(**fields), NOW)


def told(table: object) -> str:
    console = wide_console()
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_table_of_agents_shows_text_as_it_is() -> None:
    table = told(agent_table([an_info(agent_type="[bold]x\x1b[2J", running=2), an_info(health="unhealthy")]))
    assert "[bold]x␛[2J" in table and "busy" in table and "offline" in table and "1,234" in table
    figures = AgentFigures("zoe", "HttpAgent", 4, 3, 1, 0, 0.5, 0.2, 1.0, 0, 0)
    grid = told(agent_grid(an_info(description="a\nb"), figures))
    assert "zoe (Zoe)" in grid and "1,234 in all; of 4 kept 75% well, p50 0.20 s, p95 1.00 s" in grid
    assert figures_line(None) == "" and figures_line(AgentFigures("a", "", 1, 0, 0, 1, None, None, None, 0, 0)) == (
        "; of 1 kept"
    )


def test_agents_are_read_from_a_file_and_mistakes_told_without_what_was_said(tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    file.write_text("agents:\n- agent_id: a\n  endpoint: http://a.example\n- {agent_id: b, capabilities: [chat]}\n")
    assert [(one.agent_id, one.capabilities) for one in read_agents(file)] == [("a", ()), ("b", ("chat",))]
    file.write_text('{"agent_id": "c"}')
    assert [one.agent_id for one in read_agents(file)] == ["c"]
    for text, wrong in (
        ("agent_id: a\napi_key: [s3cret]", "agent 1: api_key: "), ("[]", "there is no agent in it"),
        ("- 1", "agent 1: it: "), ("a: !!python/object:os.system x", "agents.yaml:1"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(BadRequest) as caught:
            read_agents(file)
        assert wrong in str(caught.value) and "s3cret" not in str(caught.value)
    file.write_bytes(b"\xff")
    for wrong_file in (file, tmp_path / "none", tmp_path):
        with pytest.raises(BadRequest, match=str(wrong_file)):
            read_agents(wrong_file)


def test_a_key_is_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" s3cret \nnote\n")
    assert read_key(file).get_secret_value() == "s3cret"
    file.write_text("\nnote")
    with pytest.raises(BadRequest, match="is empty"):
        read_key(file)
    with pytest.raises(BadRequest, match="cannot be read: IsADirectoryError"):
        read_key(tmp_path)


def test_a_status_is_one_of_those_that_there_are() -> None:
    assert read_status(None) is None and read_status("busy") == "busy"
    with pytest.raises(BadRequest, match="--status: 'well' is not one of idle, busy, offline, inactive, active"):
        read_status("well")
