"""`lab flows lint` and `save`: files checked whole, every mistake with its line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from graphs.flows.check import Known, check_flow
from graphs.flows.faults import Fault, FlowErrors
from server.cli.flows.finding import Chosen, DataDirOption, JsonOption, quiet_settings, read_file
from server.cli.terminal import print_json, shown
from server.lab import TENANT, open_lab
from server.registered import known_names
from server.settings import Settings
from server.wire.definitions import fault_view
from state.flows import FlowSpec

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML or JSON files", show_default=False)]
FAULTS = 2


@dataclass(frozen=True)
class Linted:
    """A file and what is wrong in it; `chosen` None: it cannot be read as a flow."""

    file: str
    chosen: Chosen | None
    faults: Sequence[Fault]


def lint(
    files: FilesArgument,
    alone: Annotated[
        bool, typer.Option("--alone", help="check the files by themselves: agents are not looked up, nothing is opened")
    ] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Check flows whole: shape, order, references, and the names of agents, capabilities and tools.

    Prints file:line:column: what is wrong and what would be accepted. Exit codes: 0 no mistake, 2 mistakes.
    """
    found = lint_files(files)
    looks_up = not alone and any(one.chosen for one in found)
    specs = [one.chosen.spec for one in found if one.chosen is not None]
    known = asyncio.run(_known(quiet_settings(data_dir), specs)) if looks_up else Known()
    found = checked_against(found, known)
    _tell(found, as_json)
    raise typer.Exit(FAULTS if any(one.faults for one in found) else 0)


def save(files: FilesArgument, as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Check flows and keep them, all or none: `lab flows run ID` and the server run them then."""
    found = lint_files(files)
    if any(one.faults for one in found):
        _tell(found, as_json)
        raise typer.Exit(FAULTS)
    kept = asyncio.run(_save(quiet_settings(data_dir), found))
    if as_json:
        print_json(kept)
    else:
        for one in kept:
            typer.echo(f"{one['status']} {one['flow_id']}, version {one['version']}")


def lint_files(files: Sequence[Path]) -> list[Linted]:
    """The files' shapes; what they mean is checked by `checked_against`."""
    return [_read(str(file)) for file in files]


def checked_against(found: Sequence[Linted], known: Known) -> list[Linted]:
    """With what is wrong in the meaning of each that can be read."""
    return [one if one.chosen is None else replace(one, faults=faults_of(one.chosen, known)) for one in found]


def faults_of(chosen: Chosen, known: Known) -> list[Fault]:
    return check_flow(chosen.spec, known, chosen.positions)


def _read(file: str) -> Linted:
    try:
        return Linted(file, read_file(file), ())
    except FlowErrors as error:
        return Linted(file, None, error.faults)


def _tell(found: Sequence[Linted], as_json: bool) -> None:
    if as_json:
        print_json([{"file": one.file, "faults": [fault_view(fault) for fault in one.faults]} for one in found])
        return
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        for fault in one.faults:
            typer.echo(shown(str(fault)))
        if not one.faults and one.chosen is not None:
            nodes = len(one.chosen.spec.nodes)
            console.print(f"[green]✓[/] {escape(one.file)}: {one.chosen.spec.flow_id}, {nodes} nodes")


def doubles(chosen: Sequence[Chosen]) -> list[Fault]:
    """Flows that would replace one of another file."""
    first = {one.spec.flow_id: one for one in reversed(chosen)}
    return [
        one.positions.fault(("flow_id",), f"the flow '{name}' stands in {first[name].positions.file}, too; keep one")
        for one in chosen
        if first[name := one.spec.flow_id] is not one
    ]


async def _known(settings: Settings, specs: Sequence[FlowSpec]) -> Known:
    async with open_lab(settings) as lab:
        return await known_names(lab.needs, *specs)


async def _save(settings: Settings, found: Sequence[Linted]) -> list[dict[str, Any]]:
    """All are checked before the first is kept. Raises FlowErrors with the mistakes of all."""
    async with open_lab(settings) as lab:
        chosen = [one.chosen for one in found if one.chosen is not None]
        faults = [fault for one in chosen for fault in await lab.definitions.faults_of(one.spec, one.positions)]
        if faults := [*faults, *doubles(chosen)]:
            raise FlowErrors(faults)
        kept = [await lab.definitions.put_flow(TENANT, one.spec, one.positions) for one in chosen]
        return [
            {
                "flow_id": one.name,
                "status": "created" if one.created else "updated",
                "version": one.assistant.version,
                "assistant_id": str(one.assistant.assistant_id),
            }
            for one in kept
        ]
