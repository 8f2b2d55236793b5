"""`lab agents list`, `show` and `check`: what is registered, and how it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, get_args

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from server.cli.terminal import print_json, set_up_logging, shorten, shown, wide_console
from server.db.agent_runs import AgentFigures
from server.db.agent_shapes import AgentFilter, ToCheck
from server.lab import TENANT, open_lab
from server.settings import Settings, read_settings
from server.wire.agents import AgentInfo, ListedStatus, agent_info
from state.errors import BadRequest

AgentIdArgument = Annotated[str, typer.Argument(metavar="ID", help="id of a registered agent")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
SHORT = 60
"""Characters of a description in a table."""


def list_agents(
    capability: Annotated[str | None, typer.Option(help="only agents that have it")] = None,
    agent_type: Annotated[str | None, typer.Option("--type", help="only agents of this type")] = None,
    status: Annotated[str | None, typer.Option(help="idle, busy, offline, inactive or active")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="agents at most")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List registered agents: what they can, whether they answer, how often they were called."""
    wanted = replace(AgentFilter(capability=capability, agent_type=agent_type), status=read_status(status))
    settings = quiet_settings()
    found, total = asyncio.run(_list(settings, wanted, limit))
    if as_json:
        print_json([info.model_dump(mode="json") for info in found])
        return
    wide_console().print(agent_table(found))
    if total > len(found):
        typer.echo(f"{len(found)} of {total}; --limit shows more")


def show(agent_id: AgentIdArgument, as_json: JsonOption = False) -> None:
    """Show one agent whole, with what its calls came to. Its api_key is never shown."""
    info, figures = asyncio.run(_show(quiet_settings(), agent_id))
    if as_json:
        print_json(info.model_dump(mode="json"))
    else:
        wide_console().print(agent_grid(info, figures))


def check(agent_id: AgentIdArgument, as_json: JsonOption = False) -> None:
    """Look at an agent's health now. Exit code 1 when it is unhealthy."""
    health = asyncio.run(_check(quiet_settings(), agent_id)).health
    if as_json:
        print_json(health.model_dump(mode="json"))
    else:
        took = "" if health.seconds is None else f" in {health.seconds * 1_000:.0f} ms"
        typer.echo(shown(f"{agent_id}: {health.health}{took}{': ' + health.error if health.error else ''}"))
    if health.health == "unhealthy":
        raise typer.Exit(1)


def read_status(text: str | None) -> ListedStatus | None:
    """Raises BadRequest with those that there are."""
    for known in get_args(ListedStatus):
        if text == known:
            found: ListedStatus = known
            return found
    if text is None:
        return None
    raise BadRequest(f"--status: '{text}' is not one of {', '.join(get_args(ListedStatus))}")


def quiet_settings() -> Settings:
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    return settings


def agent_table(agents: Sequence[AgentInfo]) -> Table:
    """A line an agent."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("agent", "class", "type", "status", "calls", "can", "where"):
        table.add_column(
            column, no_wrap=column in ("agent", "status"), justify="right" if column == "calls" else "left"
        )
    for agent in agents:
        cells = (
            agent.agent_id,
            agent.agent_class,
            agent.agent_type,
            status_of(agent),
            f"{agent.message_count:,}",
            ", ".join(agent.capabilities),
            agent.endpoint or agent.origin,
        )
        table.add_row(*(Text(shorten(cell, SHORT)) for cell in cells))  # Text: what clients said is not markup
    return table


def status_of(agent: AgentInfo) -> str:
    """Its status, and its breaker's where that is not closed."""
    return agent.status if agent.breaker.state == "closed" else f"{agent.status}, breaker {agent.breaker.state}"


def agent_grid(agent: AgentInfo, figures: AgentFigures | None) -> Table:
    """Everything that is known of an agent, a line each."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    health = agent.health
    for label, text in (
        ("agent", agent.agent_id if agent.name == agent.agent_id else f"{agent.agent_id} ({agent.name})"),
        ("description", agent.description),
        ("class", f"{agent.agent_class}, of type {agent.agent_type}"),
        ("from", agent.origin),
        ("endpoint", agent.endpoint or ""),
        ("api key", "is kept" if agent.has_api_key else ""),
        ("can", ", ".join(agent.capabilities)),
        ("tools", ", ".join(agent.tools)),
        ("status", status_of(agent)),
        ("health", f"{health.health}: {health.error}" if health.error else health.health),
        ("checked", "" if health.checked_at is None else _when(health.checked_at)),
        ("heartbeat", "" if agent.last_heartbeat is None else _when(agent.last_heartbeat)),
        ("calls", f"{agent.message_count:,} in all{figures_line(figures)}"),
        ("prompt", agent.system_prompt),
    ):
        if text:
            grid.add_row(label, Text(shown(text)))
    return grid


def figures_line(figures: AgentFigures | None) -> str:
    """`; of 4 kept 75 % well, p50 0.20 s, p95 1.00 s`; empty where no call is kept."""
    if figures is None:
        return ""
    rate = "" if figures.success_rate is None else f" {figures.success_rate:.0%} well"
    p50, p95 = figures.p50_seconds, figures.p95_seconds
    times = "" if p50 is None or p95 is None else f", p50 {p50:.2f} s, p95 {p95:.2f} s"
    return f"; of {figures.calls:,} kept{rate}{times}"


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


async def _list(settings: Settings, wanted: AgentFilter, limit: int) -> tuple[list[AgentInfo], int]:
    async with open_lab(settings) as lab:
        found, total = await lab.agents.agents.search(TENANT, wanted, limit=limit)
    return [agent_info(record, datetime.now(UTC)) for record in found], total


async def _show(settings: Settings, agent_id: str) -> tuple[AgentInfo, AgentFigures | None]:
    async with open_lab(settings) as lab:
        record = await lab.agents.of(TENANT).get(agent_id)
        figures = {one.agent_id: one for one in await lab.agents.agent_runs.figures(TENANT)}
    return agent_info(record, datetime.now(UTC)), figures.get(agent_id)


async def _check(settings: Settings, agent_id: str) -> AgentInfo:
    async with open_lab(settings) as lab:
        record = await lab.agents.of(TENANT).get(agent_id)
        if record.endpoint is not None:
            await lab.agents.poller.check(ToCheck(TENANT, agent_id, record.endpoint))
        return agent_info(await lab.agents.of(TENANT).get(agent_id), datetime.now(UTC))
