"""What agents are built over in a server: every port of `state.agent_ports` filled, opened in order of need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from langchain_core.tools import BaseTool

from nodes.agents.kinds import Kinds
from server.agents.calls import Heard, unheard
from server.agents.client import checked_client
from server.agents.opening import OpenedAgents, open_agents
from server.background import running
from server.db.agents import Agents
from server.db.pool import Database
from server.db.worker import Worker
from server.mcp_tools.opening import open_mcp_tools
from server.messages.bus import Bus
from server.messages.opening import open_messages
from server.settings import Settings
from state.agent_ports import AgentNeeds, ServedGraphs
from state.errors import NoDatabase
from state.ports import ChatModels

FOLLOW_SECONDS = 1.0
"""Between two looks at a folder that is followed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenedNeeds:
    needs: AgentNeeds
    agents: OpenedAgents
    bus: Bus
    kinds: Kinds


@asynccontextmanager
async def open_needs(
    settings: Settings,
    database: Database,
    worker: Worker,
    *,
    models: ChatModels,
    tools: Sequence[BaseTool],
    graphs: ServedGraphs,
    tenant: str,
    environment: Mapping[str, str],
    works: bool,
    ready: Callable[[AgentNeeds], None],
    ended: Heard = unheard,
) -> AsyncIterator[OpenedNeeds]:
    """Import the operator's agents, reach the MCP servers, open registry and messages of one tenant.

    `works`: this process looks after the agents' health. `ready` is told what was opened before anything else is opened
    after it. `ended`: told of each call of an agent that does. Raises BadRequest (folder, packages, MCP file),
    NoDatabase.
    """
    reloads = works and settings.agents_reload and settings.agents_dir is not None
    # The folder's files are imported, which may block.
    kinds = await asyncio.to_thread(
        Kinds, settings.agents_dir, reload=settings.agents_reload, packages=settings.agent_packages
    )
    http = checked_client(settings.allowed_networks)
    async with (
        open_mcp_tools(settings.mcp_servers, environment) as mcp,
        open_messages(database, settings, tenant) as bus,
        open_agents(
            database, worker, settings, tenant, http=http, builtin=kinds.records(), works=works, ended=ended
        ) as agents,
    ):
        needs = AgentNeeds(
            models=models,
            tools=mcp.over(tools),
            kinds=kinds,
            directory=agents.directory,
            messages=bus,
            calls=agents.calls,
            graphs=graphs,
            http=http,
            request_timeout_sec=settings.request_timeout,
        )
        ready(needs)
        async with running(_follow(kinds, agents.agents, tenant), "agents' folder") if reloads else nullcontext():
            yield OpenedNeeds(needs, agents, bus, kinds)


async def _follow(kinds: Kinds, agents: Agents, tenant: str) -> None:
    """Register what the folder brings as its files change."""
    told = kinds.records()
    while True:
        await asyncio.sleep(FOLLOW_SECONDS)
        found = await asyncio.to_thread(kinds.records)
        if found != told:
            try:
                await agents.refresh(tenant, found, whole_folder=True)
            except NoDatabase as error:
                log.warning("agents of the folder are not registered yet: %s", error)
                continue
            told = found
