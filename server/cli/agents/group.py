"""The verbs of `lab agents`."""

from __future__ import annotations

from typing import Annotated

import typer

from server.cli.agents.entries import disable, enable, register, remove
from server.cli.agents.listing import check, list_agents, show
from server.cli.agents.packages import packages
from state.errors import BadRequest

agents = typer.Typer(name="agents", help="List, register, switch and check the agents that crews and flows can call.")


@agents.callback(invoke_without_command=True)
def _list_when_nothing_is_said(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False
) -> None:
    """List, register, switch and check the agents that crews and flows can call. Without a verb: list them."""
    if context.invoked_subcommand is None:
        list_agents(as_json=as_json)
    elif as_json:
        raise BadRequest(f"--json goes behind the verb: lab agents {context.invoked_subcommand} --json")


agents.command("list")(list_agents)
for verb in (show, register, remove, enable, disable, check, packages):
    agents.command()(verb)
