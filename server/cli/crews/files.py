"""`lab crews lint`, `save` and `draw`: crews that stand in files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from graphs.crews.build import build, read_crew
from graphs.crews.check import check_crew
from graphs.flows.faults import Fault, FlowErrors, Positions
from graphs.flows.reading import read_document
from graphs.flows.shipped import read_text
from server.cli.flows.finding import DataDirOption, JsonOption, is_file, quiet_settings
from server.cli.terminal import print_json, shown
from server.lab import TENANT, Lab, open_lab
from server.registered import check_registered
from server.settings import Settings
from server.wire.definitions import check_crew_id, fault_view, put_view
from state.errors import BadRequest, Conflict
from state.flows import CrewSpec

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML or JSON files", show_default=False)]
CrewArgument = Annotated[str, typer.Argument(metavar="CREW", help="a file, or the id of a crew, see `lab crews`")]
FAULTS = 2


@dataclass(frozen=True)
class Linted:
    """A file and what is wrong in it."""

    file: Path
    spec: CrewSpec | None
    faults: Sequence[Fault] = ()


def lint(files: FilesArgument, as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Check crews whole: shape, relations, references, and the names of classes, tools and agents.

    Prints file:line:column: what is wrong and what would be accepted. Exit codes: 0 no mistake, 2 mistakes.
    """
    found = asyncio.run(_lint(quiet_settings(data_dir), files))
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        _tell(found)
    raise typer.Exit(FAULTS if any(one.faults for one in found) else 0)


def save(files: FilesArgument, as_json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """Check crews and keep them, all or none; each is an assistant of the graph `crew` then."""
    found, kept = asyncio.run(_save(quiet_settings(data_dir), files))
    if any(one.faults for one in found):
        _tell(found)
        raise typer.Exit(FAULTS)
    if as_json:
        print_json(kept)
    else:
        for one in kept:
            typer.echo(f"{one['status']} {one['crew_id']}, version {one['version']}")


def draw(crew: CrewArgument, data_dir: DataDirOption = None) -> None:
    """Draw a crew as Mermaid: agents, and who comes after whom."""
    typer.echo(asyncio.run(_draw(quiet_settings(data_dir), crew)), nl=False)


def read_file(file: Path) -> tuple[CrewSpec, Positions]:
    """The crew of a file, called like the file where it has no id. Raises FlowErrors. Blocks."""
    document = read_document(read_text(file), str(file))
    spec = read_crew(document.data, document.positions)
    return (spec if spec.crew_id else spec.model_copy(update={"crew_id": file.stem})), document.positions


async def crew_of(lab: Lab, crew: str) -> CrewSpec:
    """Of a file, its names checked, or one that is kept. Raises FlowErrors, NotFound, Conflict."""
    if not is_file(crew):
        return read_crew((await lab.definitions.get(TENANT, "crew", crew)).definition)
    spec, positions = await asyncio.to_thread(read_file, Path(crew))
    await _check(lab, spec, positions)
    return spec


async def _check(lab: Lab, spec: CrewSpec, positions: Positions) -> None:
    check_crew(spec, lab.needs, positions)
    await check_registered(lab.needs, f"crew '{spec.crew_id}'", spec.agents)


async def _linted(lab: Lab, file: Path) -> Linted:
    try:
        spec, positions = await asyncio.to_thread(read_file, file)
        check_crew_id(spec.crew_id)
        await _check(lab, spec, positions)
    except FlowErrors as error:
        return Linted(file, None, error.faults)
    except (BadRequest, Conflict) as error:
        return Linted(file, None, [Fault(str(error), file=str(file))])
    return Linted(file, spec)


async def _lint(settings: Settings, files: Sequence[Path]) -> list[Linted]:
    async with open_lab(settings) as lab:
        return [await _linted(lab, file) for file in files]


async def _save(settings: Settings, files: Sequence[Path]) -> tuple[list[Linted], list[dict[str, Any]]]:
    async with open_lab(settings) as lab:
        found = [await _linted(lab, file) for file in files]
        if any(one.faults for one in found):
            return found, []
        specs = [one.spec for one in found if one.spec is not None]
        return found, [put_view(await lab.definitions.put_crew(TENANT, spec)) for spec in specs]


async def _draw(settings: Settings, crew: str) -> str:
    async with open_lab(settings) as lab:
        spec = await crew_of(lab, crew)
        return await asyncio.to_thread(lambda: build(spec, lab.needs).compile().get_graph().draw_mermaid())


def _tell(found: Sequence[Linted]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        for fault in one.faults:
            console.print(escape(shown(str(fault))))
        if one.spec is not None:
            console.print(
                f"[green]✓[/] {escape(shown(str(one.file)))}: {one.spec.crew_id}, {len(one.spec.agents)} agents"
            )


def _as_json(one: Linted) -> dict[str, Any]:
    return {
        "file": str(one.file),
        "crew_id": one.spec.crew_id if one.spec else None,
        "faults": [fault_view(fault) for fault in one.faults],
    }
