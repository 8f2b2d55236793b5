"""What a process holds of the registry of agents, opened in order of need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from server.agents.calls import Calls, Heard, open_calls, unheard
from server.agents.directory import Directory
from server.agents.poller import HealthPoller, Http
from server.db.agent_runs import AgentRuns
from server.db.agents import Agents
from server.db.pool import Database
from server.db.worker import Worker
from server.settings import Settings
from state.agents import NewAgent, Origin


@dataclass(frozen=True)
class OpenedAgents:
    """`directory` and `calls` are ports of state.agent_ports for one tenant; the others are asked with a tenant."""

    agents: Agents
    agent_runs: AgentRuns
    directory: Directory
    calls: Calls
    poller: HealthPoller

    def of(self, tenant: str) -> Directory:
        """The directory of one tenant."""
        return Directory(self.agents, tenant)


@asynccontextmanager
async def open_agents(
    database: Database,
    worker: Worker,
    settings: Settings,
    tenant: str,
    *,
    http: Http,
    builtin: Sequence[tuple[NewAgent, Origin]] = (),
    works: bool = True,
    ended: Heard = unheard,
) -> AsyncIterator[OpenedAgents]:
    """The registry with the agents that come with this process; raises NoDatabase.

    `http` makes clients that reach what the operator allows. `works`: this process looks after the agents' health.
    `ended`: told of each call of an agent that does (`Calls`).
    """
    agents = Agents(database.pool, database.dsn)
    agent_runs = AgentRuns(database.pool, database.dsn)
    poller = HealthPoller(agents, agent_runs, http, interval=settings.health_interval, call_days=settings.message_days)
    await agents.refresh(tenant, builtin, whole_folder=settings.agents_dir is not None)
    async with (
        open_calls(agent_runs, tenant, worker.id, ended) as calls,
        poller.running() if works else nullcontext(),
    ):
        yield OpenedAgents(agents, agent_runs, Directory(agents, tenant, calls.unwritten), calls, poller)
