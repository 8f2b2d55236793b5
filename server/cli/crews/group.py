"""The verbs of `lab crews`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.crews.files import draw, lint, save
from server.cli.crews.listing import list_crews
from server.cli.crews.run import run
from server.cli.flows.running import resume
from state.errors import BadRequest

crews = typer.Typer(name="crews", help="List, check, keep, draw and run crews.")


@crews.callback(invoke_without_command=True)
def _list_when_nothing_is_said(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False
) -> None:
    """List, check, keep, draw and run crews. Without a verb: list them."""
    if context.invoked_subcommand is None:
        list_crews(limit=100, as_json=as_json)
    elif as_json:
        raise BadRequest(f"--json goes behind the verb: lab crews {context.invoked_subcommand} --json")


crews.command("list")(list_crews)
for verb in (lint, save, draw, run, resume):
    crews.command()(verb)
