"""`lab agents packages`: agents of installed packages and of the operator's folder, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nodes.agents.kinds import shipped_kinds
from nodes.agents.loader import AgentFolder
from nodes.agents.packages import AgentPackage, installed
from server.cli.agents.listing import JsonOption, quiet_settings
from server.cli.terminal import print_json, shown, wide_console
from server.settings import Settings


def packages(as_json: JsonOption = False) -> None:
    """List agents of installed packages, which LAB_AGENT_PACKAGES switches on, and those of LAB_AGENTS_DIR."""
    settings = quiet_settings()
    found = installed()
    folder = _folder(settings)
    kinds = folder.kinds() if folder is not None else {}
    faults = folder.faults() if folder is not None else ()
    if as_json:
        print_json(
            {
                "packages": [{**asdict(one), "on": is_on(one, settings.agent_packages)} for one in found],
                "folder": [{"agent_class": kind.name, "description": kind.description} for kind in kinds.values()],
                "faults": [asdict(fault) for fault in faults],
            }
        )
    else:
        rows = [(one.name, one.distribution, one.version, one.target, _word(one, settings)) for one in found]
        rows += [(kind.name, "(folder)", "", kind.description, "on") for kind in kinds.values()]
        wide_console().print(_table(rows))
        for fault in faults:
            typer.echo(shown(str(fault)), err=True)
    if faults:
        raise typer.Exit(1)


def is_on(package: AgentPackage, switched_on: Sequence[str]) -> bool:
    """Whether the settings name it or its distribution."""
    return package.name in switched_on or package.distribution in switched_on


def _word(package: AgentPackage, settings: Settings) -> str:
    return "on" if is_on(package, settings.agent_packages) else "off"


def _folder(settings: Settings) -> AgentFolder | None:
    if settings.agents_dir is None:
        return None
    return AgentFolder(settings.agents_dir, taken=[*shipped_kinds()])


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("agent", "package", "version", "what", "state"):
        table.add_column(column, no_wrap=column != "what")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    return table
