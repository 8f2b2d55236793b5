"""`lab models fit`: which models of the catalogue fit into which memory, in which strategy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, get_args

import typer
from pydantic import TypeAdapter, ValidationError
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from llm.loading.choose import choose_dtype
from llm.models import LocalModels
from llm.sizing import bytes_of_parameters, human_bytes
from llm.vram import BUDGET_SHARE
from server.catalogue import describe_all, is_remote
from server.cli.models.listing import human_count
from server.cli.terminal import wide_console
from server.lab import open_models_of
from server.settings import GB, Size, read_settings
from state.errors import BadRequest
from state.models import ModelCard, Strategy
from state.resources import Device


@dataclass(frozen=True)
class Machine:
    """Memory to fit into, and what the models may take of it."""

    label: str
    device: Device
    budget_bytes: int


@dataclass(frozen=True)
class Fit:
    """One model; bytes of weights by strategy, and the strategies that fit."""

    name: str
    parameters: int
    bytes_needed: dict[Strategy, int]
    fits: list[Strategy]


def fit(
    ram: Annotated[str | None, typer.Option(help="a computer without a GPU and this much free memory: 8GB")] = None,
    vram: Annotated[str | None, typer.Option(help="a GPU with this much free memory: 6GB")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show which models fit into which memory. Without an option: into this machine's, as it is now."""
    if ram is not None and vram is not None:
        raise BadRequest("--ram and --vram exclude each other: a model lives in one of them")
    with open_models_of(read_settings()) as models:
        if ram is not None:
            machine = read_machine("--ram", ram)
        elif vram is not None:
            machine = read_machine("--vram", vram)
        else:
            machine = _this_machine(models)
        told = ram is not None or vram is not None
        fits = fit_cards(models.cards(), machine) if told else _fit_here(models)
    if as_json:
        typer.echo(json.dumps({**asdict(machine), "models": [asdict(one) for one in fits]}, indent=2))
        return
    console = wide_console()
    console.print(f"{machine.label}: models may take {human_bytes(machine.budget_bytes)} together, weights and KV")
    console.print(make_table(fits))


def _this_machine(models: LocalModels) -> Machine:
    reading = models.reading()
    where = "this machine's GPU memory" if reading.device == "cuda" else "this machine's memory"
    return Machine(where, reading.device, reading.budget_bytes)


def _fit_here(models: LocalModels) -> list[Fit]:
    """By the files where they are here, and by what the manager would refuse."""
    infos = [info for info in describe_all(models) if not info.remote]
    return [Fit(info.name, info.parameters, info.bytes_needed, info.fits) for info in infos]


def read_machine(option: str, text: str) -> Machine:
    """The machine that `--ram` or `--vram` describes. Raises BadRequest for what is no size."""
    try:
        size = int(TypeAdapter[int](Size).validate_python(text))
    except ValidationError:
        size = 0
    if size <= 0:
        raise BadRequest(f"{option}: {text!r} is not a size; say 8GB, 900MB or 8 for gigabytes")
    device: Device = "cpu" if option == "--ram" else "cuda"
    return Machine(f"{size / GB:g} GB of free {option[2:].upper()}", device, int(size * BUDGET_SHARE[device]))


def fit_cards(cards: Iterable[ModelCard], machine: Machine) -> list[Fit]:
    """Local models by their cards alone, in their order."""
    return [_fit_card(card, machine) for card in cards if not is_remote(card)]


def _fit_card(card: ModelCard, machine: Machine) -> Fit:
    # What is commonest: a CPU without AMX computes in float32, a GPU since Ampere in bfloat16.
    dtype = choose_dtype(machine.device, frozenset())
    sizes: dict[Strategy, int] = {
        strategy: bytes_of_parameters(
            card.parameters, strategy, dtype, bits=card.bits, embedding_parameters=card.embedding_parameters
        )
        for strategy in get_args(Strategy)
    }
    enough = [strategy for strategy, size in sizes.items() if size <= machine.budget_bytes]
    return Fit(card.name, card.parameters, sizes, enough)


def make_table(fits: Iterable[Fit]) -> Table:
    """What fits with a tick, what does not dimmed and with a cross."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("model", no_wrap=True)
    for name in ("parameters", *get_args(Strategy)):
        table.add_column(name, no_wrap=True, justify="right")
    for one in fits:
        cells = [_cell(one, strategy) for strategy in get_args(Strategy)]
        table.add_row(Text(one.name, style="" if one.fits else "dim"), human_count(one.parameters), *cells)
    return table


def _cell(one: Fit, strategy: Strategy) -> Text:
    if strategy not in one.bytes_needed:
        return Text("?")
    size = human_bytes(one.bytes_needed[strategy])
    return Text(f"{size} ✓", style="green") if strategy in one.fits else Text(f"{size} ✗", style="dim")
