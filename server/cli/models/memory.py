"""`lab models load` and `unload`: what is in the memory of the running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.cli.models.client import Server, open_server
from server.cli.models.fetch_view import BarView
from server.cli.models.info import resident_line
from server.cli.models.options import read_body
from server.settings import read_settings
from server.wire.models import LoadRequest, ModelInfo, UnloadRequest

OPTIONS = {"strategy": "--strategy", "pin": "--pin", "keep_alive": "--keep-alive"}


def load(
    name: Annotated[str, typer.Argument(help="catalogue name")],
    strategy: Annotated[
        str | None, typer.Option(help="standard, optimized or streaming [the server's default]")
    ] = None,
    pin: Annotated[
        bool | None,
        typer.Option("--pin/--no-pin", help="keep it, whoever needs the room; or no longer", show_default=False),
    ] = None,
    keep_alive: Annotated[
        float | None, typer.Option(help="seconds it stays idle; -1 until its room is needed [LAB_KEEP_ALIVE]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Load a model in the running server, fetching it first if need be."""
    order = read_body(LoadRequest, OPTIONS, strategy=strategy, pin=pin, keep_alive=keep_alive)
    console = Console(highlight=False, soft_wrap=True)
    with open_server(read_settings()) as server:
        info = server.show(name)
        if not info.here and not info.remote:
            _pull(server, name, Console(stderr=True) if as_json else console)
        with _waiting(console, f"loading {name}", quiet=as_json):
            info = server.load(name, order)
    if as_json:
        typer.echo(info.model_dump_json(indent=2))
        return
    _print_residents(info, console)


def unload(
    name: Annotated[str, typer.Argument(help="catalogue name")],
    strategy: Annotated[str | None, typer.Option(help="standard, optimized or streaming [all of them]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Unload a model from the running server's memory, pinned or not."""
    order = read_body(UnloadRequest, OPTIONS, strategy=strategy)
    with open_server(read_settings()) as server:
        count = server.unload(name, order)
    if as_json:
        typer.echo(json.dumps({"unloaded": count}))
    else:
        typer.echo(f"{name} has left the memory" if count else f"{name} was not in memory")


def _pull(server: Server, name: str, console: Console) -> None:
    with BarView(console) as view:
        for done, total in server.pull(name):
            view.tell(name, done, total)


@contextmanager
def _waiting(console: Console, what: str, *, quiet: bool) -> Iterator[None]:
    """A spinner with the seconds, on a terminal."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        progress.add_task(what, total=None)
        yield


def _print_residents(info: ModelInfo, console: Console) -> None:
    for model in info.residents:
        console.print(f"{info.name}: {resident_line(model)}", markup=False)
    if not info.residents:
        console.print(f"{info.name} was loaded and has left again: its keep-alive is 0 seconds", markup=False)
