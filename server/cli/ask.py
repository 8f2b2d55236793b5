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
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.console import Console

from server.cli.questions import Asker, decision_of
from server.cli.terminal import in_daemon_thread, report, set_up_logging
from server.cli.view import RunView
from server.lab import Lab, open_lab
from server.resuming import choices_of
from server.run_request import RunRequest
from server.settings import Settings, read_settings
from server.streaming.events import Event
from state.errors import BadRequest, Conflict, LabError, NotFound

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
    decision: Annotated[
        str | None, typer.Option(help="with --resume: accept or approve, edit, retry, respond, reject; or JSON")
    ] = None,
    answer: Annotated[str | None, typer.Option(help="with --decision edit: the corrected answer")] = None,
    args: Annotated[str | None, typer.Option(help="with --decision edit: a tool call's arguments, as JSON")] = None,
    hint: Annotated[
        str | None, typer.Option(help="what to do better (retry), why (reject), the tool's answer (respond)")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="ask a human when the score stays low")] = False,
    approve_tools: Annotated[bool, typer.Option("--approve-tools", help="ask a human before tools are called")] = False,
    approve_load: Annotated[
        str | None, typer.Option(help="ask a human before a load of more than this, such as 2GB")
    ] = None,
    judge: Annotated[str | None, typer.Option(help="model that scores answers, beside the checks")] = None,
    analyst: Annotated[str | None, typer.Option(help="model asked what a request is when that is unsure")] = None,
    tools: Annotated[str | None, typer.Option(help="tools offered at most, such as calculator,convert")] = None,
    related: Annotated[int | None, typer.Option(help="earlier runs of other threads recalled at most [3]")] = None,
    no_related: Annotated[bool, typer.Option("--no-related", help="recall none")] = False,
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
    said = decision_of(decision, answer=answer, args=args, hint=hint, model=model, strategy=strategy)
    settings = read_settings(data_dir=data_dir)
    set_up_logging(settings, quiet=True)
    request = RunRequest(
        graph=graph,
        context=_given(
            model=model,
            strategy=strategy,
            approve=approve or None,
            approve_tools=approve_tools or None,
            approve_load_over=_bytes(approve_load),
            judge=judge,
            analyst=analyst,
            tools=None if tools is None else [name.strip() for name in tools.split(",") if name.strip()],
            related_runs=0 if no_related else related,
            max_attempts=max_attempts,
            min_score=min_score,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
        ),
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        thread_id=_thread_id(thread),
        resume=resume,
        decision=said,
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
        asked: Event | None = None
        while True:
            view = RunView(console)
            try:
                last = await _show(lab, request, view, asked)
                if last.name != "interrupt":
                    return 0
                asked, thread_id = last, UUID(last.data["thread_id"])
                decision = await _decide(console, asked)
            except asyncio.CancelledError:
                begun = view.thread_id or (request.thread_id if request.resume else None)
                go_on = f" Continue with: lab ask --resume --thread {begun}" if begun else ""
                console.print(f"[yellow]stopped.[/]{go_on}")
                raise
            except EOFError:
                words = "|".join(choices_of(last.data["value"])) or "JSON"
                console.print(f"Answer with: lab ask --resume --thread {thread_id} --decision {words}", markup=False)
                return WAITS_FOR_HUMAN
            request = replace(
                request,
                prompt=None,
                thread_id=thread_id,
                resume=True,
                decision=decision,
                interrupt_id=asked.data["interrupt_id"],
            )


async def _decide(console: Console, asked: Event) -> object:
    """What a human at the terminal answers. Raises EOFError when there is none."""
    if not (console.is_terminal and sys.stdin.isatty()):
        raise EOFError
    return await in_daemon_thread(Asker(console).decide, asked.data["value"])


async def _show(lab: Lab, request: RunRequest, view: RunView, asked: Event | None) -> Event:
    """The last event of a run; `asked` once more where what was typed is no answer to it."""
    try:
        with view:
            async with aclosing(lab.runner.run(request)) as events:
                async for event in events:
                    view.show(event)
                    last = event
    except Conflict:
        raise
    except BadRequest as error:
        if asked is None or view.thread_id is not None:  # it was not typed here, or it was taken
            raise
        report(error)
        return asked
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


def _bytes(text: str | None) -> int | None:
    try:
        return None if text is None else int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError as error:
        raise BadRequest(f"--approve-load: '{text}' is not a size; give one such as 2GB or 500MiB") from error
