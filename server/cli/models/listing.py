"""`lab models list`: what can be asked for, and what of it is here and loaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, get_args

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from llm.sizing import human_bytes
from server.catalogue import describe_all
from server.cli.models.client import open_server
from server.cli.terminal import PIPE_WIDTH, wide_console
from server.lab import open_models_of
from server.settings import Settings, read_settings
from server.wire.models import ModelInfo
from state.models import Strategy
from state.resources import Reading

WORDS = ("model", "files", "loaded", "can")
"""Columns of words; the others hold numbers."""

GIVEN_UP = ("can", "context", "streaming", "parameters")
"""Columns that a narrow terminal goes without, the first one first: `info` tells them all."""


def list_models(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the catalogue: size, memory by strategy, whether it is here, whether a running server has it loaded."""
    settings = read_settings()
    with open_models_of(settings) as models:
        infos = describe_all(models)
    reading = look(settings)
    if reading is not None:
        infos = [with_residents(info, reading) for info in infos]
    if as_json:
        typer.echo(json.dumps([info.model_dump(mode="json") for info in infos], indent=2, ensure_ascii=False))
    else:
        console = wide_console()
        console.print(make_table(infos, console, server=reading is not None))


def look(settings: Settings) -> Reading | None:
    """The memory of the running server; None when there is none."""
    with open_server(settings) as server:
        return server.look()


def with_residents(info: ModelInfo, reading: Reading) -> ModelInfo:
    """The same model, as another process has it in memory."""
    residents = [model for model in reading.resident if model.name == info.name]
    return info.model_copy(update={"residents": residents, "loaded": [model.strategy for model in residents]})


def make_table(infos: Sequence[ModelInfo], console: Console, *, server: bool) -> Table:
    """The widest table that the console has room for. `server`: whether one said what is loaded."""
    table = _make_table(infos, server=server, without=())
    for count in range(1, len(GIVEN_UP) + 1):
        if Measurement.get(console, console.options.update_width(PIPE_WIDTH), table).minimum <= console.width:
            break
        table = _make_table(infos, server=server, without=GIVEN_UP[:count])
    return table


def _make_table(infos: Sequence[ModelInfo], *, server: bool, without: Sequence[str]) -> Table:
    cells = {
        "model": [info.name for info in infos],
        "parameters": [human_count(info.parameters) for info in infos],
        "context": [f"{info.context_length:,}" for info in infos],
        **{strategy: [size_in(strategy, info) for info in infos] for strategy in get_args(Strategy)},
        "files": [state_of(info) for info in infos],
        "loaded": [", ".join(info.loaded) for info in infos],
        "can": [", ".join(info.capabilities) for info in infos],
    }
    names = [name for name in cells if name not in without and (server or name != "loaded")]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, no_wrap=name != "can", justify="left" if name in WORDS else "right")
    for row in zip(*(cells[name] for name in names), strict=True):
        table.add_row(*map(Text, row))  # Text: what a card says is not markup
    return table


def size_in(strategy: Strategy, info: ModelInfo) -> str:
    """Bytes of its weights; "?" when its files are damaged, nothing when it is remote."""
    if info.remote:
        return ""
    return human_bytes(info.bytes_needed[strategy]) if strategy in info.bytes_needed else "?"


def state_of(info: ModelInfo) -> str:
    """Where its files are, in a word or three."""
    if info.problem:
        return "damaged" if info.here else "lost"
    if info.remote:
        return "remote" if info.here else "remote, off"
    return "here" if info.here else "to fetch" if info.repo else "lost"


def human_count(parameters: int) -> str:
    """`494 M`, `7.6 B`; empty when unknown."""
    if not parameters:
        return ""
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:,.0f} M"
