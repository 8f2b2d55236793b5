"""`lab crews run`: a crew on the queue, live."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from server.cli.crews.files import CrewArgument, crew_of
from server.cli.executing import execute_as_json, execute_live
from server.cli.flows.finding import DataDirOption, is_file, quiet_settings
from server.cli.flows.running import JsonLines, read_run_settings
from server.db.jobs import Job
from server.job_requests import Asked
from server.lab import TENANT, Lab
from state.errors import BadRequest


def run(
    crew: CrewArgument,
    query: Annotated[str | None, typer.Option(help="what the crew is asked; - reads standard input")] = None,
    model: Annotated[str | None, typer.Option(help="for agents that name none, see `lab models`")] = None,
    strategy: Annotated[str | None, typer.Option(help="standard or optimized (4-bit)")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [0]")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="length of an answer at most")] = None,
    seed: Annotated[int | None, typer.Option(help="fixes sampling")] = None,
    as_json: JsonLines = False,
    data_dir: DataDirOption = None,
) -> None:
    """Run a crew and show each agent's turn.

    Exit codes: 0 answered, 2 bad input, something missing or no agent answered, 3 an agent waits for a human,
    130 stopped by Ctrl-C.
    """
    settings = quiet_settings(data_dir)
    said = {"model": model, "strategy": strategy, "temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    wanted = read_run_settings(said)
    asked = sys.stdin.read() if query == "-" else query
    if not asked or not asked.strip():
        raise BadRequest("--query is missing; say what the crew is asked")

    async def begin(lab: Lab) -> Job:
        if model is not None:
            lab.models.card(model)
        if is_file(crew):
            kept = lab.definitions.unkept("crew", await crew_of(lab, crew))
        else:
            kept = await lab.definitions.runnable(TENANT, "crew", crew)
        made = await lab.executions.start(TENANT, kept, Asked({"query": asked}, wanted))
        return await lab.executions.get(TENANT, made.run_id)

    code = asyncio.run(execute_as_json(settings, begin) if as_json else execute_live(settings, begin, "crews"))
    raise typer.Exit(code)
