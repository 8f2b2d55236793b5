"""`lab flows draw`: a flow as mermaid, or as a picture."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated

import typer

from graphs.flows.check import check_flow
from graphs.flows.compile import team_of
from graphs.flows.faults import FlowErrors
from graphs.flows.order import supersteps
from graphs.services import Services
from graphs.teams import needs_of, wire
from server.cli.flows.finding import Chosen, DataDirOption, FlowArgument, find, quiet_settings, shipped_or_file
from server.cli.flows.picture import picture
from server.cli.terminal import shown
from server.lab import open_lab, open_models_of
from server.settings import Settings
from state.errors import BadRequest

_WORDS = "class|classDef|click|flowchart|graph|linkStyle|style|subgraph"
_KEYWORD = re.compile(rf"(?m)(?<=^\t)({_WORDS})(?=\(| -->)|(?<= --> )({_WORDS})(?=;)")
"""A node's id that mermaid would read as a word of its own; what stands in the box stays."""


def draw(
    flow: FlowArgument,
    png: Annotated[Path | None, typer.Option(help="write a picture to this file instead")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Print a flow's graph as mermaid, or write it as a PNG; both are made here, without a network."""
    settings = quiet_settings(data_dir)
    # Only a flow that a client keeps takes a database to find.
    chosen = shipped_or_file(flow) or asyncio.run(_kept(settings, flow))
    if faults := check_flow(chosen.spec, positions=chosen.positions):
        raise FlowErrors(faults)
    if png is None:
        typer.echo(shown(mermaid(settings, chosen)), nl=False)
        return
    needs = {node.id: node.depends_on for node in chosen.spec.nodes}
    try:
        png.write_bytes(picture(supersteps(needs), needs, chosen.spec.exit_points))
    except OSError as error:
        raise BadRequest(f"--png: {png} cannot be written: {error.strerror}") from error
    typer.echo(f"wrote {png}")


def mermaid(settings: Settings, chosen: Chosen) -> str:
    """As `/assistants/{id}/graph` draws it: the graph itself, compiled."""
    models = open_models_of(settings)
    try:
        needs = needs_of(Services(models=models))
        # Not `build`: it wants each tool to be there, and those of MCP servers and plugins are not opened here.
        drawn = wire(team_of(chosen.spec, needs), needs).compile().get_graph().draw_mermaid()
        return _KEYWORD.sub(r"\g<0>_", drawn)
    finally:
        models.close()


async def _kept(settings: Settings, flow: str) -> Chosen:
    async with open_lab(settings) as lab:
        return await find(lab, flow)
