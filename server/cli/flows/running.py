"""`lab flows run` and `resume`: a flow on the queue, live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError

from graphs.flows.shipped import read_text
from server.cli.executing import execute_as_json, execute_live
from server.cli.flows.finding import DataDirOption, FlowArgument, quiet_settings, to_run
from server.db.jobs import Job
from server.job_requests import Asked
from server.lab import TENANT, Lab
from server.wire.executions import CrewSettings
from state.errors import BadRequest

MAX_INPUT_BYTES = 20_000_000
"""Of a file with a run's input: as much as the server takes of a request."""

JsonLines = Annotated[bool, typer.Option("--json", help="print events as JSON lines")]


def run(
    flow: FlowArgument,
    query: Annotated[str | None, typer.Option(help="what is asked, as a text")] = None,
    given: Annotated[
        str | None, typer.Option("--input", help="what the first node is given: a JSON object, or @FILE")
    ] = None,
    model: Annotated[str | None, typer.Option(help="catalogue name, see `lab models`")] = None,
    strategy: Annotated[str | None, typer.Option(help="standard or optimized (4-bit)")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [0]")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="length of an answer at most")] = None,
    seed: Annotated[int | None, typer.Option(help="fixes sampling")] = None,
    as_json: JsonLines = False,
    data_dir: DataDirOption = None,
) -> None:
    """Run a flow and show each node as it works. Without --query and --input: on the example in its metadata.

    Exit codes: 0 answered, 2 bad input, something missing or no node answered, 3 a node waits for a human,
    130 stopped by Ctrl-C.
    """
    settings = quiet_settings(data_dir)
    said = {"model": model, "strategy": strategy, "temperature": temperature, "max_tokens": max_tokens, "seed": seed}
    wanted = read_run_settings(said)
    asked = read_input(query, given)

    async def begin(lab: Lab) -> Job:
        kept = await to_run(lab, flow)
        if model is not None:
            lab.models.card(model)
        example = (kept.definition.get("metadata") or {}).get("example")
        what = asked or {"input_data": example if isinstance(example, dict) else {}}
        started = await lab.executions.start(TENANT, kept, Asked(input=what, settings=wanted))
        return await lab.executions.get(TENANT, started.run_id)

    code = asyncio.run(execute_as_json(settings, begin) if as_json else execute_live(settings, begin, "flows"))
    raise typer.Exit(code)


def resume(
    execution: Annotated[str, typer.Argument(metavar="EXECUTION", help="id of an execution that waits")],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="JSON, or a text")],
    interrupt: Annotated[str | None, typer.Option(help="which question, where several wait")] = None,
    as_json: JsonLines = False,
    data_dir: DataDirOption = None,
) -> None:
    """Answer what an execution asks, and show how it goes on. Exit codes as of `run`."""
    settings = quiet_settings(data_dir)
    try:
        job_id = UUID(execution)
    except ValueError as error:
        raise BadRequest(f"'{execution[:80]}' is no id of an execution, which is a UUID") from error

    async def begin(lab: Lab) -> Job:
        job = await lab.executions.get(TENANT, job_id)
        await lab.executions.resume(TENANT, job, _json_or_text(answer), interrupt)
        return await lab.executions.get(TENANT, job_id)

    code = asyncio.run(execute_as_json(settings, begin) if as_json else execute_live(settings, begin, "flows"))
    raise typer.Exit(code)


def read_run_settings(said: Mapping[str, object]) -> dict[str, Any]:
    """What of these is said, checked. Raises BadRequest that names the option."""
    try:
        settings = CrewSettings.model_validate({name: value for name, value in said.items() if value is not None})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadRequest(f"--{str(wrong['loc'][0]).replace('_', '-')}: {wrong['msg']}") from error
    return settings.model_dump(mode="json", exclude_unset=True)


def read_input(query: str | None, given: str | None) -> dict[str, Any]:
    """The run's input; empty where nothing is said. Raises BadRequest."""
    said: dict[str, Any] = {} if query is None else {"query": query}
    if given is None:
        return said
    text = read_text(Path(given[1:]), most=MAX_INPUT_BYTES) if given.startswith("@") else given
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"--input: not JSON ({error}); give an object or @FILE") from error
    if not isinstance(data, dict):
        raise BadRequest('--input: give a JSON object, such as {"topic": "bees"}')
    return {**said, "input_data": data}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
