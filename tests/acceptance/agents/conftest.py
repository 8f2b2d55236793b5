"""One server for the tests that leave it as they found it, and a place for those that kill theirs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.acceptance.agents.agents import Client
from tests.acceptance.processes import Lab, Process
from tests.conftest import TEMPLATE, new_database

MCP_SERVER = Path(__file__).parents[2] / "integration" / "mcp_server.py"
OWN_AGENTS = '''
from nodes.agents.base import BaseAgent


class Adder(BaseAgent):
    """Adds with a tool of an MCP server."""

    CAPABILITIES = ("adding",)
    TOOLS = ("own__add",)

    async def execute(self, input, context):
        return {"response": await context.tools["own__add"].ainvoke({"a": 17, "b": 25})}


class Counter(BaseAgent):
    """Counts the words it is asked about."""

    CAPABILITIES = ("counting",)

    async def execute(self, input, context):
        return {"response": f"{len(context.text.split())} words"}
'''


@dataclass
class Place:
    """A database and a folder that a server, or one after the other, works on."""

    database_url: str
    folder: Path
    mcp: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """Agents' addresses are on loopback; `mcp`: there is a server of tools, too."""
        servers = {"LAB_MCP_SERVERS": str(self.folder / "mcp.json")} if self.mcp else {}
        return {
            **servers,
            "LAB_DATABASE_URL": self.database_url,
            "LAB_DATA_DIR": str(self.folder / "data"),
            "LAB_AGENTS_DIR": str(self.folder / "agents"),
            "LAB_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LAB_HEALTH_INTERVAL": "1",
            "LAB_OFFLINE": "true",
        }

    @contextmanager
    def serve(self) -> Iterator[tuple[Client, Process]]:
        """A server until it is killed, here at the latest."""
        (self.folder / "agents").mkdir(exist_ok=True)
        (self.folder / "agents" / "own.py").write_text(OWN_AGENTS)
        own = {"command": sys.executable, "args": [str(MCP_SERVER), "stdio", "0", str(self.folder / "tool-calls")]}
        (self.folder / "mcp.json").write_text(json.dumps({"servers": {"own": own}}))
        with (
            Lab(self.settings, self.folder).start("serve", "--port", "0") as process,
            httpx.Client(base_url=process.address(), timeout=150) as http,
        ):
            yield Client(http), process


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    return Place(database_url, tmp_path)


@pytest.fixture(scope="package")
def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Client, Process]]:
    with new_database(postgres, TEMPLATE) as database_url:
        place = Place(database_url, tmp_path_factory.mktemp("agents"), mcp=True)
        with place.serve() as (client, process):
            yield place, client, process


@pytest.fixture
def client(shared: tuple[Place, Client, Process]) -> Client:
    return shared[1]
