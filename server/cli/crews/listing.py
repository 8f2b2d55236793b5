"""`lab crews list`: the crews that are kept."""

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
from server.lab import TENANT, open_lab
from server.settings import Settings
from server.wire.definitions import crew_listed

SHORT = 60
"""Characters of a cell."""


def list_crews(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="crews at most")] = 100,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """List kept crews: their mode, their agents, their version."""
    found = asyncio.run(_list(quiet_settings(data_dir), limit))
    if as_json:
        print_json(found)
    elif found:
        wide_console().print(crew_table(found))
    else:
        typer.echo("no crew is kept; keep one with: lab crews save FILE")


def crew_table(crews: Sequence[dict[str, Any]]) -> Table:
    """A line a crew."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("crew", "name", "mode", "version", "agents"):
        table.add_column(column, no_wrap=column == "crew", justify="right" if column == "version" else "left")
    for crew in crews:
        cells = (
            crew["crew_id"], crew["name"], str(crew["execution_mode"]), str(crew["version"]), ", ".join(crew["agents"])
        )  # fmt: skip
        table.add_row(*(Text(shorten(cell, SHORT)) for cell in cells))  # Text: what clients said is not markup
    return table


async def _list(settings: Settings, limit: int) -> list[dict[str, Any]]:
    async with open_lab(settings) as lab:
        return [crew_listed(kept) for kept in await lab.definitions.search(TENANT, "crew", limit=limit, offset=0)]
