"""Running a crew or a flow from the terminal: a job in the queue as any client's, heard to its end."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

import orjson
from rich.console import Console

from server.cli.ask import WAITS_FOR_HUMAN
from server.cli.questions import Asker, question_text
from server.cli.team_view import TeamView
from server.cli.terminal import in_daemon_thread, report
from server.db.jobs import Job
from server.following import follow
from server.lab import TENANT, Lab, open_lab
from server.settings import Settings
from server.wire.executions import execution_view
from state.errors import AgentFailed, BadRequest, Conflict, LabError

FAILED = 2

Begin = Callable[[Lab], Awaitable[Job]]
"""Puts a job into the queue, or an answer to one that waits."""
Show = Callable[[str, Mapping[str, Any]], None]


async def execute_live(settings: Settings, begin: Begin, command: str) -> int:
    """Show a job as it works and ask what it asks; the exit code. `command`: of `lab … resume`, for who asks later.

    Ctrl-C stops a job that works; one that asks goes on waiting. Raises what `begin` raises, AgentFailed where the job
    fails.
    """
    console = Console(highlight=False, soft_wrap=True)
    async with open_lab(settings, works=True) as lab:
        job = await begin(lab)
        console.print(f"[dim]{job.graph_id} · execution {job.job_id} · thread {job.thread_id}[/]")
        while True:
            with TeamView(console) as view:
                name, told = await _hear(lab, job, view.show, lambda: console.print("[yellow]stopped.[/]"))
            if name == "result":
                view.end(told)
                return 0
            if name != "interrupt":
                raise AgentFailed(str(told.get("error_message") or told.get("message") or "the run was stopped"))
            try:
                job = await _answered(lab, job, told, console)
            except asyncio.CancelledError:
                _tell_how(console, command, job, told["interrupts"])
                raise
            except EOFError:
                _tell_how(console, command, job, told["interrupts"])
                return WAITS_FOR_HUMAN


async def execute_as_json(settings: Settings, begin: Begin) -> int:
    """The job's events as JSON lines; the exit code."""
    try:
        async with open_lab(settings, works=True) as lab:
            name, _ = await _hear(lab, await begin(lab), _print_line, lambda: None)
    except LabError as error:
        _print_line("error", {"error": type(error).__name__, "status": error.status, "detail": str(error)})
        return error.exit_code
    return {"result": 0, "interrupt": WAITS_FOR_HUMAN}.get(name, FAILED)


async def _hear(lab: Lab, job: Job, show: Show, stopped: Callable[[], None]) -> tuple[str, dict[str, Any]]:
    """The last event of a job, after all have been shown. Cancelled, it stops the job first."""
    name, data = "error", dict[str, Any]()
    told = follow(lab, TENANT, job, execution_view)
    try:
        async with aclosing(told) as pieces:
            async for piece in pieces:
                for said in piece:
                    name, data = said.name, orjson.loads(said.data)
                    show(name, data)
    except asyncio.CancelledError:
        with suppress(Conflict):  # it has just ended
            await lab.executions.cancel(TENANT, await lab.executions.get(TENANT, job.job_id))
        stopped()
        raise
    return name, data


async def _answered(lab: Lab, job: Job, told: Mapping[str, Any], console: Console) -> Job:
    """The job, gone on with what a human at the terminal answers first. Raises EOFError when there is none."""
    if not (console.is_terminal and sys.stdin.isatty()):
        raise EOFError
    asked = told["interrupts"][0]
    console.print(question_text(asked["value"]))
    while True:
        answer = await in_daemon_thread(Asker(console).decide, asked["value"])
        try:
            await lab.executions.resume(TENANT, job, answer, asked["id"])
        except Conflict:
            raise
        except BadRequest as error:
            report(error)
            continue
        return await lab.executions.get(TENANT, job.job_id)


def _tell_how(console: Console, command: str, job: Job, interrupts: Sequence[Mapping[str, Any]]) -> None:
    """How each question can be answered later."""
    for asked in interrupts:
        which = f" --interrupt {asked['id']}" if len(interrupts) > 1 else ""
        console.print(question_text(asked["value"]))
        console.print(f"Answer with: lab {command} resume {job.job_id} ANSWER{which}", markup=False)


def _print_line(name: str, data: Mapping[str, Any]) -> None:
    line = json.dumps({"event": name, "data": data}, ensure_ascii=False)
    # The name of a file that is no UTF-8 has halves of surrogate pairs, which JSON can escape.
    print(line.encode("utf-8", "backslashreplace").decode(), flush=True)
