"""The whole application in this process, over real Postgres, with a few agents in Python; no socket, no model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from server.app import create_app
from server.lab import Lab
from server.settings import Settings
from tests.conftest import TEMPLATE, new_database

AGENTS = '''
import asyncio
from pathlib import Path

from nodes.agents.base import BaseAgent


class Echo(BaseAgent):
    """Says what it was asked, after its own id."""

    CAPABILITIES = ("echo",)

    async def execute(self, input, context):
        return {"response": f"{context.call.agent_id}: {context.text.splitlines()[-1]}"}


class Seen(BaseAgent):
    """Says what it was given."""

    CAPABILITIES = ("seeing",)

    async def execute(self, input, context):
        return {"response": "seen", "input": input}


class Broken(BaseAgent):
    """Fails."""

    async def execute(self, input, context):
        raise RuntimeError("it is broken")


class Gate(BaseAgent):
    """Answers as soon as there is a file of the name that its config says."""

    async def execute(self, input, context):
        while not Path(context.config["file"]).exists():
            await asyncio.sleep(0.02)
        return "open"
'''


@dataclass(frozen=True)
class Served:
    """`http` asks the application `app`; `folder` is for the tests' own files."""

    http: httpx.AsyncClient
    lab: Lab
    folder: Path
    app: FastAPI

    async def ok(self, method: str, path: str, status: int = 200, **sent: Any) -> Any:
        """The JSON of an answer, which has this status."""
        response = await self.http.request(method, path, **sent)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def refused(self, method: str, path: str, status: int, **sent: Any) -> str:
        """What is wrong, told as problem details."""
        response = await self.http.request(method, path, **sent)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        assert response.headers["content-type"] == "application/problem+json"
        detail: str = response.json()["detail"]
        return detail


@asynccontextmanager
async def serving(postgres: str, folder: Path, **settings: Any) -> AsyncIterator[Served]:
    """The application of these settings, on a database of its own."""
    agents = folder / "agents"
    agents.mkdir()
    (agents / "plain.py").write_text(AGENTS)
    with new_database(postgres, TEMPLATE) as url:
        app: FastAPI = create_app(
            Settings(data_dir=folder / "data", database_url=url, offline=True, agents_dir=agents, **settings)
        )
        async with app.router.lifespan_context(app):
            # Errors of ours are answers; what the application does not catch is an error of the test.
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as http:
                yield Served(http, app.state.lab, folder, app)
