"""Agents' processes, started, killed and started again at the same address; and the lab that calls them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

SCRIPT = Path(__file__).with_name("http_agent.py")
PATIENCE_SEC = 60.0
ENDED = {"COMPLETED", "FAILED", "CANCELLED"}
T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = PATIENCE_SEC) -> T:
    """The first thing seen that is true. Fails when nothing is for too long."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        time.sleep(0.02)
    return seen


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass
class HttpAgent:
    """One agent: its address stays, its process comes and goes."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> HttpAgent:
        """Ready to be asked."""
        self.process = subprocess.Popen([sys.executable, str(SCRIPT), self.name, str(self.port), str(self.folder)])
        until(self.listens)
        return self

    def listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def be(self, **mode: Any) -> None:
        """From now on, as `http_agent.py` says; nothing named: well."""
        new = self.folder / f"{self.name}.mode.new"
        new.write_text(json.dumps(mode))
        new.replace(self.folder / f"{self.name}.mode")

    @property
    def held(self) -> bool:
        return '"hold": true' in (self.folder / f"{self.name}.mode").read_text()

    def calls(self) -> list[dict[str, Any]]:
        """What it was asked, in order, by each of its processes."""
        try:
            return [json.loads(line) for line in (self.folder / f"{self.name}.calls").read_text().splitlines()]
        except FileNotFoundError:
            return []


@contextmanager
def http_agents(folder: Path, *names: str) -> Iterator[dict[str, HttpAgent]]:
    """These agents, running; whatever process of theirs there is at the end is killed."""
    agents = {name: HttpAgent(name, folder) for name in names}
    try:
        for agent in agents.values():
            agent.start()
        yield agents
    finally:
        for agent in agents.values():
            if agent.process is not None and agent.process.poll() is None:
                agent.kill()


@dataclass
class Client:
    """A client of the lab's own API, in the words of the crews' routes."""

    http: httpx.Client

    def ask(self, method: str, path: str, *, expect: int | None = None, **sent: Any) -> Any:
        """The answer's JSON; its status is `expect`, or any that is well."""
        answer = self.http.request(method, path, **sent)
        assert answer.status_code == expect if expect else answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def register(self, agent: HttpAgent, *capabilities: str, **more: Any) -> None:
        body = {"agent_id": agent.name, "endpoint": agent.endpoint, "capabilities": list(capabilities), **more}
        self.ask("POST", "/agents", json=body, expect=201)

    def agent(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/agents/{name}")
        return found

    def save(self, crew_id: str, *agents: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Save a crew; its answer."""
        said: dict[str, Any] = self.ask("PUT", "/api/v1/crew", json={"crew_id": crew_id, "agents": agents, **more})
        return said

    def begin(self, crew_id: str, query: str, **more: Any) -> str:
        """Execute a crew; the job's id."""
        body = {"crew_id": crew_id, "query": query, **more}
        return str(self.ask("POST", "/api/v1/crew/execute", json=body, expect=202)["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("PATCH", "/api/v1/crew/job", params={"job_id": job_id})
        return found

    def ended(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """The job, once it is over."""
        return until(lambda: job if (job := self.job(job_id))["status"] in ENDED else {}, seconds)

    def run(self, crew_id: str, query: str, **more: Any) -> dict[str, Any]:
        """A job from its beginning to its end."""
        return self.ended(self.begin(crew_id, query, **more))

    def messages(self, execution_id: str) -> list[tuple[str, str]]:
        """Who told whom, in order."""
        said = self.ask("GET", f"/executions/{execution_id}/messages")
        found = said["messages"] if isinstance(said, dict) else said
        return [(message["from_agent"], message["to_agent"]) for message in found]


def registered(agent_id: str, called: str | None = None, **config: Any) -> dict[str, Any]:
    """An agent of a crew that is a registered one."""
    return {"agent_id": agent_id, "agent_class": "HttpAgent", "config": {"agent_id": called or agent_id, **config}}
