"""`lab models pull`: files of models from the hub to this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from llm.models import LocalModels
from server.catalogue import fetch, refuse_remote
from server.cli.models.fetch_view import BarView, FetchView, JsonView, how_far, print_event
from server.cli.terminal import set_up_logging
from server.lab import open_models_of
from server.settings import read_settings
from server.streaming.sse import error_event
from state.errors import LabError


def pull(
    names: Annotated[list[str], typer.Argument(help="catalogue names")],
    as_json: Annotated[bool, typer.Option("--json", help="print progress as JSON lines")] = False,
) -> None:
    """Fetch models. Ctrl-C keeps what has arrived, and the next pull goes on from there.

    Exit codes: 0 all are here, 2 one cannot be fetched, 130 stopped by Ctrl-C.
    """
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    with open_models_of(settings) as models:
        if as_json:
            raise typer.Exit(_pull_as_json(models, names))
        console = Console(highlight=False, soft_wrap=True)
        with BarView(console) as view:
            for name, folder in _pull_all(models, names, view, console):
                console.print(f"[bold]{name}[/] is in {folder}")


def _pull_as_json(models: LocalModels, names: Sequence[str]) -> int:
    try:
        with JsonView() as view:
            for name, folder in _pull_all(models, names, view, Console(stderr=True, soft_wrap=True)):
                print_event("result", {"name": name, "folder": str(folder)})
    except LabError as error:
        print_event("error", error_event(error).data)
        return error.exit_code
    return 0


def _pull_all(
    models: LocalModels, names: Sequence[str], view: FetchView, console: Console
) -> Iterator[tuple[str, Path]]:
    """Each model and its folder once it is here. A name that is wrong is found before the first byte is fetched."""
    wanted = list(dict.fromkeys(names))
    for name in wanted:
        refuse_remote(models.card(name), "fetch")
    for number, name in enumerate(wanted):
        yield name, _pull_one(models, name, view, console, left=wanted[number:])


def _pull_one(models: LocalModels, name: str, view: FetchView, console: Console, *, left: Sequence[str]) -> Path:
    arrived = (0, 0)

    def tell(done: int, total: int) -> None:
        nonlocal arrived
        arrived = (done, total)
        view.tell(name, done, total)

    try:
        return fetch(models, name, tell)
    except KeyboardInterrupt:
        console.print(
            f"[yellow]stopped[/] with {how_far(*arrived)} of {name} here. Go on with: lab models pull {' '.join(left)}"
        )
        raise
