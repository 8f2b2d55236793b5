"""Which flow a command means: a file, or one that is kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from graphs.flows.check import checked
from graphs.flows.faults import Positions, listed
from graphs.flows.load import flow_from, load_flow
from graphs.flows.shipped import read_text, shipped_flows
from server.cli.terminal import set_up_logging
from server.definitions import Kept
from server.lab import TENANT, Lab
from server.registered import known_names
from server.settings import Settings, read_settings
from state.errors import NotFound
from state.flows import FlowSpec

SUFFIXES = (".yaml", ".yml", ".json")

FlowArgument = Annotated[str, typer.Argument(metavar="FLOW", help="a file, or the id of a flow, see `lab flows`")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
DataDirOption = Annotated[Path | None, typer.Option(help="where everything is kept [LAB_DATA_DIR]")]


@dataclass(frozen=True)
class Chosen:
    """A flow and, where it is a file's, the places in it."""

    spec: FlowSpec
    positions: Positions


def is_file(flow: str) -> bool:
    """Whether this names a file: there is one, or it is written like one."""
    if "/" in flow or flow.lower().endswith(SUFFIXES):
        return True
    try:
        return Path(flow).is_file()
    except OSError:  # longer than the name of any file
        return False


def read_file(flow: str) -> Chosen:
    """Raises FlowErrors."""
    loaded = load_flow(read_text(Path(flow)), flow)
    return Chosen(loaded.spec, loaded.positions)


def shipped_or_file(flow: str) -> Chosen | None:
    """What can be told without anything opened; None: it takes a look at what is kept. Raises FlowErrors."""
    if is_file(flow):
        return read_file(flow)
    shipped = shipped_flows().get(flow)
    return None if shipped is None else Chosen(shipped, Positions(flow))


async def find(lab: Lab, flow: str) -> Chosen:
    """A file's flow, or the one that is kept under this id. Raises FlowErrors, NotFound."""
    if is_file(flow):
        return await asyncio.to_thread(read_file, flow)
    return Chosen(flow_from((await _kept(lab, flow)).definition, flow), Positions(flow))


async def to_run(lab: Lab, flow: str) -> Kept:
    """What is executed: a flow that is kept or, for this run alone, that of a file.

    Raises FlowErrors: it has mistakes, or names what is not there; NotFound, Conflict.
    """
    if not is_file(flow):
        await _kept(lab, flow)
        return await lab.definitions.runnable(TENANT, "flow", flow)
    chosen = await asyncio.to_thread(read_file, flow)
    checked(chosen.spec, await known_names(lab.needs, chosen.spec), chosen.positions)
    return lab.definitions.unkept("flow", chosen.spec)


async def _kept(lab: Lab, flow: str) -> Kept:
    try:
        return await lab.definitions.get(TENANT, "flow", flow)
    except NotFound:
        there = [kept.name for kept in await lab.definitions.search(TENANT, "flow", limit=100, offset=0)]
        raise NotFound(f"there is no file and no flow '{flow[:200]}'; flows are: {listed(there)}") from None


def quiet_settings(data_dir: Path | None = None) -> Settings:
    settings = read_settings(data_dir=data_dir)
    set_up_logging(settings, quiet=True)
    return settings
