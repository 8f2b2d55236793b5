"""`lab flows list`: the flows that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from server.cli.flows.finding import DataDirOption, JsonOption, quiet_settings
from server.cli.terminal import print_json, shorten, wide_console
from server.definitions import Kept
from server.lab import TENANT, open_lab
from server.settings import Settings
from server.wire.definitions import flow_listed

SHORT = 80


def list_flows(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="flows at most")] = 100,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """List the flows that are kept: the shipped ones, those of LAB_FLOWS_DIR, those that clients brought."""
    found = [flow_listed(kept) for kept in asyncio.run(_list(quiet_settings(data_dir), limit))]
    if as_json:
        print_json(found)
    else:
        wide_console().print(flow_table(found))


def flow_table(found: Sequence[dict[str, Any]]) -> Table:
    """A line a flow."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("flow", "version", "nodes", "source", "description"):
        table.add_column(column, no_wrap=column != "description")
    for flow in found:
        nodes = ", ".join(flow["nodes"])
        cells = (flow["flow_id"], flow["version"], nodes, flow["source"], flow["description"])
        table.add_row(*(Text(shorten(str(cell or ""), SHORT)) for cell in cells))
    return table


async def _list(settings: Settings, limit: int) -> list[Kept]:
    async with open_lab(settings) as lab:
        return await lab.definitions.search(TENANT, "flow", limit=limit, offset=0)
