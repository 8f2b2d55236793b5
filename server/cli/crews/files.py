"""`lab crews lint`, `save` and `draw`: crews that stand in files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from graphs.crews.build import build, read_crew
from graphs.crews.check import check_crew
from graphs.flows.faults import Fault, FlowErrors, Positions
from graphs.flows.reading import MAX_BYTES, read_document
from server.cli.agents.listing import JsonOption, quiet_settings
from server.cli.terminal import print_json, shown
from server.lab import TENANT, Lab, open_lab
from server.registered import check_registered
from server.settings import Settings
from server.wire.definitions import check_crew_id, crew_view, fault_view
from state.errors import BadRequest, NotFound
from state.flows import CrewSpec

CrewArgument = Annotated[str, typer.Argument(metavar="CREW", help="id of a kept crew, or a file of YAML or JSON")]
FAULTY = 2


def lint(
    files: Annotated[list[Path], typer.Argument(help="crews in YAML or JSON")], as_json: JsonOption = False
) -> None:
    """Check crews whole, a mistake a line with its place. Exit code 2 when there is one."""
    found = asyncio.run(_lint(quiet_settings(), files))
    if as_json:
        print_json([{"file": fault.file, **fault_view(fault)} for fault in found])
    else:
        for fault in found:
            typer.echo(shown(str(fault)))
        if not found:
            typer.echo(f"{len(files)} without a mistake" if len(files) > 1 else f"{files[0]}: no mistake")
    if found:
        raise typer.Exit(FAULTY)


def save(file: Annotated[Path, typer.Argument(help="a crew in YAML or JSON")], as_json: JsonOption = False) -> None:
    """Keep a crew, or a new version of it: it can be executed then, and is an assistant of the graph `crew`."""
    view = asyncio.run(_save(quiet_settings(), file))
    if as_json:
        print_json(view)
    else:
        typer.echo(f"{view['crew_id']}: version {view['version']}, assistant {view['assistant_id']}")


def draw(crew: CrewArgument) -> None:
    """Draw a crew as Mermaid: agents, and who comes after whom."""
    typer.echo(asyncio.run(_draw(quiet_settings(), crew)), nl=False)


def read_file(file: Path) -> tuple[CrewSpec, Positions]:
    """The crew of a file, named like the file where it has no id. Raises FlowErrors, BadRequest."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    document = read_document(text, str(file))
    spec = read_crew(document.data, document.positions)
    return (spec if spec.crew_id else spec.model_copy(update={"crew_id": file.stem})), document.positions


def is_file(crew: str) -> bool:
    """Whether what was said means a file: there is one, or it is written like one."""
    return Path(crew).is_file() or Path(crew).suffix in (".yaml", ".yml", ".json")


async def crew_of(lab: Lab, crew: str) -> CrewSpec:
    """Of a file or kept, its names checked. Raises NotFound, BadRequest."""
    if not is_file(crew):
        return read_crew((await lab.definitions.get(TENANT, "crew", crew)).definition)
    spec, positions = await asyncio.to_thread(read_file, Path(crew))
    await _check(lab, spec, positions)
    return spec


async def _check(lab: Lab, spec: CrewSpec, positions: Positions) -> None:
    check_crew(spec, lab.needs, positions)
    await check_registered(lab.needs, f"crew '{spec.crew_id}'", spec.agents)


async def _lint(settings: Settings, files: list[Path]) -> list[Fault]:
    found: list[Fault] = []
    async with open_lab(settings) as lab:
        for file in files:
            try:
                spec, positions = await asyncio.to_thread(read_file, file)
                await _check(lab, spec, positions)
            except FlowErrors as error:
                found += error.faults
            except NotFound:
                raise
            except BadRequest as error:
                found.append(Fault(str(error), file=str(file)))
    return found


async def _save(settings: Settings, file: Path) -> dict[str, object]:
    async with open_lab(settings) as lab:
        spec, positions = await asyncio.to_thread(read_file, file)
        check_crew_id(spec.crew_id or str(uuid4()))
        await _check(lab, spec, positions)
        return crew_view(await lab.definitions.put_crew(TENANT, spec))


async def _draw(settings: Settings, crew: str) -> str:
    async with open_lab(settings) as lab:
        spec = await crew_of(lab, crew)
        return await asyncio.to_thread(lambda: build(spec, lab.needs).compile().get_graph().draw_mermaid())
