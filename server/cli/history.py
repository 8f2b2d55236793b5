"""`lab history`: the runs so far, what each node of one did, and earlier requests found by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from pydantic_core import to_jsonable_python
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nodes.memory import Found, find_runs, runs_of
from server.cli.terminal import print_json, set_up_logging, shorten, shown, wide_console
from server.cli.view import cost_line
from server.db.runs import Run
from server.lab import open_lab
from server.settings import Settings, read_settings
from state.errors import BadRequest

SHORT = 60
"""Characters of a prompt or an answer in a table."""


def history(
    run: Annotated[str | None, typer.Argument(help="show what each node of this run did (an id, see the list)")] = None,
    thread: Annotated[str | None, typer.Option(help="only runs of this thread (a UUID)")] = None,
    search: Annotated[str | None, typer.Option(help="find finished runs whose requests are about this")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="runs at most")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List runs, newest first; show one whole; or find earlier requests by meaning."""
    if sum(given is not None for given in (run, thread, search)) > 1:
        raise BadRequest("a run, --thread and --search exclude each other; give one of them")
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    if run is not None:
        one = asyncio.run(_one(settings, _uuid("run", run)))
        if as_json:
            print_json(to_jsonable_python(asdict(one)))
        else:
            print_run(Console(highlight=False, soft_wrap=True), one)
    elif search is not None:
        found = asyncio.run(_search(settings, search, limit))
        if as_json:
            print_json([each.model_dump() for each in found])
        else:
            wide_console().print(found_table(found))
    else:
        listed = asyncio.run(_recent(settings, _uuid("--thread", thread) if thread else None, limit))
        if as_json:
            print_json(to_jsonable_python([asdict(each) for each in listed]))
        else:
            wide_console().print(run_table(listed))


def run_table(runs: Sequence[Run]) -> Table:
    """A line a run."""
    table = _table("when", "run", "graph", "status", "score", "tries", "request", "answer")
    for run in runs:
        result = run.result or {}
        score = result.get("score")
        _add(
            table,
            when(run.created_at),
            str(run.run_id),
            run.graph_id,
            run.status,
            "" if score is None else f"{score:.2f}",
            str(result.get("attempts", "")),
            shorten(request_of(run), SHORT),
            shorten(result.get("output") or run.error or "", SHORT),
        )
    return table


def found_table(found: Sequence[Found]) -> Table:
    """A line a remembered run, the nearest first."""
    table = _table("near", "run", "kind", "score", "request", "answer")
    for each in found:
        near = "" if each.similarity is None else f"{each.similarity:.2f}"
        score = "" if each.memory.score is None else f"{each.memory.score:.2f}"
        said = shorten(each.memory.request, SHORT), shorten(each.memory.answer, SHORT)
        _add(table, near, each.run_id, each.memory.kind, score, *said)
    return table


def print_run(console: Console, run: Run) -> None:
    """One run: what was asked, what each node did, the answer and its cost."""
    result = run.result or {}
    console.print(f"[dim]run {run.run_id} · thread {run.thread_id} · {run.graph_id} · {when(run.created_at)}[/]")
    console.print(f"[bold]{escape(shown(request_of(run)))}[/]\n")
    for line in result.get("summary", ()):
        console.print(f"  {escape(shown(line))}")
    console.print(Text("\n" + shown(result.get("output") or run.error or "")))
    cost = cost_line(result) if result.get("metrics") else ""
    console.print(f"\n[dim]{run.status}{' · ' + escape(cost) if cost else ''}[/]")


def request_of(run: Run) -> str:
    """The prompt; a resumed run has none of its own."""
    return str((run.input or {}).get("prompt") or "(resumed)")


def when(moment: datetime) -> str:
    """Local time, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column in ("when", "run", "status"))
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # Text: what people asked is not markup


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest(f"{name}: '{text}' is not a UUID; `lab history` lists them") from error


async def _one(settings: Settings, run_id: UUID) -> Run:
    async with open_lab(settings) as lab:
        return await lab.runs.get_run(run_id)


async def _recent(settings: Settings, thread_id: UUID | None, limit: int) -> list[Run]:
    async with open_lab(settings) as lab:
        return await lab.runs.recent_runs(limit, thread_id)


async def _search(settings: Settings, text: str, limit: int) -> list[Found]:
    async with open_lab(settings) as lab:
        return await find_runs(lab.database.store, runs_of(None), text, limit=limit)
