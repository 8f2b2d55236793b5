"""`lab`: the verbs, and what an error looks like."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from server.cli.agents.group import agents
from server.cli.ask import ask
from server.cli.crews.group import crews
from server.cli.doctor import doctor
from server.cli.eval.group import evaluate
from server.cli.flows.group import flows
from server.cli.history import history
from server.cli.models.group import models
from server.cli.serve import serve
from server.cli.terminal import report
from server.cli.worker import worker
from state.errors import LabError

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"agent-lab {version('agent-lab')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Agent Lab: LangGraph agents on your own models, on your own machine."""


app.command()(ask)
app.command()(serve)
app.command()(worker)
app.command()(history)
app.add_typer(models)
app.add_typer(flows)
app.add_typer(agents)
app.add_typer(crews)
app.add_typer(evaluate)
app.command()(doctor)


def main() -> None:
    """Run the command; one line and an exit code for whatever goes wrong (2: yours, 1: ours, 130: Ctrl-C)."""
    try:
        app()
    except LabError as error:
        report(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
