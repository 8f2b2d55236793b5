"""The verbs of `lab models`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.models.bench import bench
from server.cli.models.entries import add, remove
from server.cli.models.fit import fit
from server.cli.models.info import info
from server.cli.models.listing import list_models
from server.cli.models.memory import load, unload
from server.cli.models.pull import pull
from state.errors import BadRequest

models = typer.Typer(name="models", help="List, fetch, load, measure and add models.")


@models.callback(invoke_without_command=True)
def _list_when_nothing_is_said(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False
) -> None:
    """List, fetch, load, measure and add models. Without a verb: list them."""
    if context.invoked_subcommand is None:
        list_models(as_json)
    elif as_json:
        raise BadRequest(f"--json goes behind the verb: lab models {context.invoked_subcommand} --json")


models.command("list")(list_models)
for verb in (info, pull, load, unload, bench, add, remove, fit):
    models.command()(verb)
