"""Real processes over one real Postgres, to be killed, stopped and woken; and what they left in ledger and tables."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid4

import httpx

from server.db.connection import connect
from server.streaming.frames import Frame, frames_of
from tests.acceptance.forking import starts
from tests.acceptance.protocol.talking import Said, said

ROOT = Path(__file__).parents[3]
CONFIG = Path(__file__).with_name("app") / "langgraph.json"
SERVING = re.compile(r"serving on (http://127\.0\.0\.1:\d+)")
WORKING = "running what is queued"
MARK = re.compile(rb"\w+~\d+~\d+~[0-9a-f]{32}")
START_SEC = 90.0
PATIENCE_SEC = 60.0
T = TypeVar("T")


class Line(NamedTuple):
    """Of the ledger. `at`: seconds since the epoch."""

    at: float
    what: str
    node: str
    run_id: str
    attempt: int
    pid: int
    mark: str


@dataclass(frozen=True)
class Accepted:
    """A run that a server answered 2xx for."""

    run_id: str
    thread_id: str


async def until(look: Callable[[], Awaitable[T]], seconds: float = PATIENCE_SEC) -> T:
    """The first thing seen that is true. Fails when nothing is for too long."""
    deadline = time.monotonic() + seconds
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        await asyncio.sleep(0.02)
    return seen


@dataclass
class Member:
    """A process of ours: a server, or a worker without HTTP."""

    popen: subprocess.Popen[bytes]
    log: Path
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=60))

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def lives(self) -> bool:
        return self.popen.poll() is None

    def send(self, number: signal.Signals) -> float:
        """When it was sent, in seconds since the epoch."""
        self.popen.send_signal(number)
        return time.time()

    def kill(self) -> float:
        at = self.send(signal.SIGKILL)
        self.popen.wait()
        return at

    async def post(
        self, graph: str, batch: str, thread_id: str | None = None, *, modes: Sequence[str] = ("updates",), **body: Any
    ) -> Accepted:
        """A run in the background that can be resumed. Raises httpx.HTTPError where it was not accepted."""
        thread_id = thread_id or str(uuid4())
        asked = {"assistant_id": graph, "stream_mode": list(modes), "stream_resumable": True, **body}
        if "command" not in body:
            asked |= {"input": {"batch": batch}, "if_not_exists": "create"}
        answer = await self.http.post(f"/threads/{thread_id}/runs", json=asked)
        answer.raise_for_status()
        return Accepted(answer.json()["run_id"], thread_id)

    async def get(self, path: str, **params: Any) -> Any:
        return (await self.http.get(path, params=params)).raise_for_status().json()

    async def hear(self, run: Accepted, last: str = "-1", *, into: list[Said] | None = None) -> list[Said]:
        """The run's events after `last`, to the end of the run or of this process."""
        heard, text = into if into is not None else [], ""
        path = f"/threads/{run.thread_id}/runs/{run.run_id}/stream"
        async with self.http.stream("GET", path, headers={"Last-Event-ID": last}, timeout=120) as answer:
            answer.raise_for_status()
            async for piece in answer.aiter_text():
                whole, mid, text = (text + piece).replace("\r\n", "\n").rpartition("\n\n")
                heard += said(whole + mid)
        return heard


@dataclass
class Field:
    """One database, one ledger, any number of processes."""

    database_url: str
    folder: Path
    members: list[Member] = field(default_factory=list)

    async def start(self, *arguments: str, lease: float = 10.0) -> Member:
        """`serve` or `worker` with options; ready."""
        (self.folder / "held").mkdir(parents=True, exist_ok=True)
        (self.folder / "ledger").touch()
        log = self.folder / f"log{uuid4().hex[:6]}"
        ports = ["--port", "0"] if arguments[0] == "serve" else []
        command = [sys.executable, "-m", "server", *arguments, *ports, "--config", str(CONFIG)]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if name in os.environ}
        kept |= {name: value for name, value in os.environ.items() if name.startswith(("COV_", "COVERAGE_"))}
        environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "CRASH_FOLDER": str(self.folder),
            "LAB_DATABASE_URL": self.database_url,
            "LAB_DATA_DIR": str(self.folder / "data"),
            "LAB_LEASE_SECONDS": str(lease),
            "LAB_OFFLINE": "true",
        }
        with log.open("wb") as out:
            popen = starts(command, environment)(command, cwd=self.folder, env=environment, stdout=out, stderr=out)
        member = Member(popen, log)
        self.members.append(member)

        async def ready() -> str | None:
            text = log.read_text()
            assert member.lives, text
            found = SERVING.search(text)
            return found.group(1) if found else (WORKING if WORKING in text else None)

        address = await until(ready, START_SEC)
        if arguments[0] == "serve":
            await member.http.aclose()
            # Connections of their own: one client's hundred would make the others wait in the pool.
            limits = httpx.Limits(max_connections=None)
            member.http = httpx.AsyncClient(base_url=address, timeout=60, limits=limits)

            async def answers() -> bool:
                try:
                    return (await member.http.get("/ok")).is_success
                except httpx.TransportError:
                    return False

            await until(answers, START_SEC)
        return member

    async def servers(self, count: int, *options: str, lease: float = 10.0) -> list[Member]:
        """As many living servers with runs of their own, started as needed; oldest first."""
        living = [member for member in self.members if member.lives]
        missing = range(count - len(living))
        return [*living, *await asyncio.gather(*(self.start("serve", *options, lease=lease) for _ in missing))]

    async def close(self) -> None:
        for member in self.members:
            if member.lives:
                member.send(signal.SIGCONT)
                member.send(signal.SIGTERM)
        for member in self.members:
            try:
                await asyncio.to_thread(member.popen.wait, 40)
            except subprocess.TimeoutExpired:
                member.kill()
            await member.http.aclose()

    # --- what nodes do and wait for ----------------------------------------------------------------------------------

    def hold(self, batch: str, node: str) -> None:
        (self.folder / "held" / f"{batch}.{node}").touch()

    def release(self, batch: str, node: str) -> None:
        (self.folder / "held" / f"{batch}.{node}").unlink()

    def ledger(self, runs: Iterable[Accepted]) -> list[Line]:
        """In the order of writing."""
        wanted = {run.run_id for run in runs}
        found = []
        for text in (self.folder / "ledger").read_text().splitlines():
            at, what, node, run_id, attempt, pid, mark = text.split()
            if run_id in wanted:
                found.append(Line(float(at), what, node, run_id, int(attempt), int(pid), mark))
        return found

    async def begun(self, runs: Sequence[Accepted], node: str, *, attempt: int = 1) -> None:
        """Until all of them are in this node, in this attempt or a later one."""

        async def all_there() -> bool:
            lines = self.ledger(runs)
            there = {one.run_id for one in lines if one.node == node and one.attempt >= attempt}
            return len(there) == len(runs)

        await until(all_there)

    # --- what the tables say -----------------------------------------------------------------------------------------

    async def ask(self, query: str, *values: Any) -> list[dict[str, Any]]:
        connection = await connect(self.database_url)
        try:
            return list(await (await connection.execute(query, values)).fetchall())
        finally:
            await connection.close()

    async def settled(self, runs: Sequence[Accepted]) -> None:
        """Until none of them is in flight."""
        ids = [UUID(run.run_id) for run in runs]

        async def none() -> bool:
            query = "SELECT 1 FROM runs WHERE run_id = ANY (%s) AND status IN ('pending', 'running') LIMIT 1"
            return not await self.ask(query, ids)

        await until(none)

    async def statuses(self, runs: Sequence[Accepted]) -> Mapping[str, str]:
        rows = await self.ask(
            "SELECT run_id::text AS id, status FROM runs WHERE run_id = ANY (%s)", [UUID(run.run_id) for run in runs]
        )
        return {row["id"]: row["status"] for row in rows}

    async def continued(self, runs: Sequence[Accepted]) -> int:
        """How many of them were begun again by a process, at their last checkpoint."""
        query = "SELECT count(*) AS runs FROM runs WHERE run_id = ANY (%s) AND attempt > 1"
        return int((await self.ask(query, [UUID(run.run_id) for run in runs]))[0]["runs"])

    async def finished(self, runs: Sequence[Accepted]) -> set[str]:
        """Marks of executions that are on record: their writes are committed, and so is the checkpoint they belong to.

        LangGraph hands writes in beside the checkpoint of the step before, not after it, unless a run asks for
        durability `sync`: writes may be there a moment before anybody could find them.
        """
        rows = await self.ask(
            """
            SELECT blob FROM checkpoint_writes JOIN checkpoints USING (thread_id, checkpoint_ns, checkpoint_id)
            WHERE channel = 'trail' AND thread_id = ANY (%s)
            """,
            [run.thread_id for run in runs],
        )
        return {mark.decode() for row in rows for mark in MARK.findall(bytes(row["blob"]))}

    async def frames(self, run: Accepted) -> list[Frame]:
        """The run's log as it is kept."""
        rows = await self.ask(
            "SELECT first_seq, lines FROM run_events WHERE run_id = %s ORDER BY first_seq", UUID(run.run_id)
        )
        return [frame for row in rows for frame in frames_of(row["first_seq"], bytes(row["lines"]))]


@asynccontextmanager
async def open_field(database_url: str, folder: Path) -> AsyncIterator[Field]:
    """Closed, every process of it has ended."""
    async with AsyncExitStack() as stack:
        opened = Field(database_url, folder)
        stack.push_async_callback(opened.close)
        yield opened
