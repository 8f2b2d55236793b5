"""The verbs of `lab eval`, a file each."""

from __future__ import annotations

import typer

from server.cli.eval.analyzer import analyzer
from server.cli.eval.run import run
from server.cli.eval.validator import validator

evaluate = typer.Typer(
    name="eval", no_args_is_help=True, help="Measure the analyzer, the validator, or two configurations side by side."
)
evaluate.command("analyzer")(analyzer)
evaluate.command("run")(run)
evaluate.command("validator")(validator)
