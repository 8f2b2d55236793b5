"""The verbs of `lab flows`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.flows.drawing import draw
from server.cli.flows.dry_run import dry_run
from server.cli.flows.linting import lint, save
from server.cli.flows.listing import list_flows
from server.cli.flows.running import resume, run
from state.errors import BadRequest

flows = typer.Typer(name="flows", help="List, check, draw, try out and run flows of agents.")


@flows.callback(invoke_without_command=True)
def _list_when_nothing_is_said(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False
) -> None:
    """List, check, draw, try out and run flows of agents. Without a verb: list them."""
    if context.invoked_subcommand is None:
        list_flows(as_json=as_json)
    elif as_json:
        raise BadRequest(f"--json goes behind the verb: lab flows {context.invoked_subcommand} --json")


flows.command("list")(list_flows)
flows.command("dry-run")(dry_run)
for verb in (lint, draw, run, resume, save):
    flows.command()(verb)
