"""`lab ask`: one prompt through a graph, live."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.console import Console

from server.cli.terminal import set_up_logging
from server.cli.view import RunView, ask_decision
from server.lab import Lab, open_lab
from server.runner import RunRequest
from server.settings import Settings, read_settings
from server.streaming.events import Event
from state.errors import BadRequest, LabError, NotFound
from state.tasks import Decision

WAITS_FOR_HUMAN = 3
INTERRUPTED = 130


def ask(
    prompt: Annotated[str | None, typer.Argument(help="what to answer; - reads standard input")] = None,
    graph: Annotated[str, typer.Option(help="orchestrator, or direct for a single model call")] = "orchestrator",
    model: Annotated[str | None, typer.Option(help="catalogue name, see `lab models`")] = None,
    strategy: Annotated[str | None, typer.Option(help="standard or optimized (4-bit)")] = None,
    thread: Annotated[str | None, typer.Option(help="go on with this thread (a UUID)")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="continue the thread's unfinished run, or the last one")
    ] = False,
    decision: Annotated[str | None, typer.Option(help="with --resume: accept, edit, retry or reject")] = None,
    answer: Annotated[str | None, typer.Option(help="with --decision edit: the corrected answer")] = None,
    hint: Annotated[str | None, typer.Option(help="with --decision retry: what to do better")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="ask a human when the score stays low")] = False,
    max_attempts: Annotated[int | None, typer.Option(help="answers tried at most [3]")] = None,
    min_score: Annotated[float | None, typer.Option(help="an answer below it is tried again, 0 to 1 [0.6]")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [0]")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="length of an answer at most")] = None,
    seed: Annotated[int | None, typer.Option(help="fixes sampling")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print events as JSON lines")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="where everything is kept [LAB_DATA_DIR]")] = None,
) -> None:
    """Answer a prompt through a graph and show each node as it works.

    Exit codes: 0 answered, 2 bad input or something missing, 3 the run waits for a human, 130 stopped by Ctrl-C.
    A stopped, killed or waiting run goes on with `lab ask --resume`.
    """
    settings = read_settings(data_dir=data_dir)
    set_up_logging(settings, quiet=True)
    request = RunRequest(
        graph=graph,
        context=_given(
            model=model,
            strategy=strategy,
            approve=approve or None,
            max_attempts=max_attempts,
            min_score=min_score,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
        ),
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        thread_id=_thread_id(thread),
        resume=resume,
        decision=_decision(decision, answer, hint),
    )
    if resume and request.prompt:
        raise BadRequest("--resume continues an unfinished run and takes no prompt; leave one of them out")
    if decision and not resume:
        raise BadRequest("--decision answers a waiting run: add --resume")
    code = asyncio.run(_ask_as_json(settings, request) if as_json else _ask_live(settings, request))
    raise typer.Exit(code)


async def _ask_live(settings: Settings, request: RunRequest) -> int:
    console = Console(highlight=False, soft_wrap=True)
    async with open_lab(settings) as lab:
        request = await _find_thread(lab, request)
        while True:
            view = RunView(console)
            try:
                with view:
                    last = await _show(lab, request, view)
            except asyncio.CancelledError:
                console.print(f"[yellow]stopped.[/] Continue with: lab ask --resume --thread {view.thread_id}")
                raise
            if last.name != "interrupt":
                return 0
            thread_id = UUID(last.data["thread_id"])
            if not (console.is_terminal and sys.stdin.isatty()):
                console.print(f"Answer with: lab ask --resume --thread {thread_id} --decision accept|edit|retry|reject")
                return WAITS_FOR_HUMAN
            decision = await asyncio.to_thread(ask_decision, console)
            request = replace(request, prompt=None, thread_id=thread_id, resume=True, decision=decision)


async def _show(lab: Lab, request: RunRequest, view: RunView) -> Event:
    async with aclosing(lab.runner.run(request)) as events:
        async for event in events:
            view.show(event)
            last = event
    return last


async def _ask_as_json(settings: Settings, request: RunRequest) -> int:
    code = 0
    try:
        async with open_lab(settings) as lab:
            request = await _find_thread(lab, request)
            async with aclosing(lab.runner.run(request)) as events:
                async for event in events:
                    print(json.dumps({"event": event.name, "data": event.data}, ensure_ascii=False), flush=True)
                    code = WAITS_FOR_HUMAN if event.name == "interrupt" else 0
    except LabError as error:
        said = {"error": type(error).__name__, "status": error.status, "detail": str(error)}
        print(json.dumps({"event": "error", "data": said}, ensure_ascii=False), flush=True)
        return error.exit_code
    return code


async def _find_thread(lab: Lab, request: RunRequest) -> RunRequest:
    """A resume without a thread means the last run that did not finish. Raises NotFound."""
    if not request.resume:
        return request
    if request.thread_id is None:
        thread = await lab.runs.last_unfinished()
        if thread is None:
            raise NotFound("there is no unfinished run to resume; ask something first")
    else:
        thread = await lab.runs.get_thread(request.thread_id)
    return replace(request, thread_id=thread.thread_id, graph=thread.graph_id)


def _given(**options: object) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _thread_id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text is not None else None
    except ValueError as error:
        raise BadRequest(f"--thread: '{text}' is not a UUID; leave it out to start a new thread") from error


def _decision(choice: str | None, answer: str | None, hint: str | None) -> Decision | None:
    if choice is None:
        return None
    try:
        return Decision.model_validate({"decision": choice, "answer": answer, "hint": hint})
    except ValidationError as error:
        raise BadRequest(f"--decision: '{choice}' is not one of accept, edit, retry, reject") from error
