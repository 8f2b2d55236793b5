"""`lab history`: what was executed so far, through whichever door; one execution whole; deleted; found by meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from nodes.memory import Found, find_runs, runs_of
from server.cli.terminal import print_json, set_up_logging, shorten, shown, wide_console
from server.db.history_shapes import Execution, HistoryFilter
from server.histories import Whole
from server.lab import TENANT, open_lab
from server.settings import Settings, read_settings
from server.wire.executions import now, status_of
from server.wire.history import listed_view, of_type, whole_view
from server.wire.values import plain
from state.errors import BadRequest

SHORT = 60
"""Characters of a request or an answer in a table."""
RESUMED = "(resumed)"
"""A run that brought no request of its own, where what it went on with is gone."""


def history(
    run: Annotated[str | None, typer.Argument(help="show this execution whole (an id, see the list)")] = None,
    thread: Annotated[str | None, typer.Option(help="only those of this thread (a UUID)")] = None,
    text: Annotated[str | None, typer.Option(help='with these words: word "a phrase" -without or')] = None,
    status: Annotated[
        str | None, typer.Option(help="pending, running, completed, failed, cancelled, interrupted")
    ] = None,
    graph: Annotated[str | None, typer.Option(help="simple, orchestrator, crew, flow, or another graph")] = None,
    search: Annotated[str | None, typer.Option(help="find finished runs whose requests are about this")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="delete the execution named")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="with --delete: do not ask")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="executions at most")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List executions, newest first; show or delete one; or find earlier requests by meaning."""
    chosen = any(given is not None for given in (thread, text, status, graph))
    if (run is not None) + (search is not None) + chosen > 1:
        raise BadRequest(
            "a run, --search, and --thread, --text, --status, --graph exclude each other; give one of them"
        )
    if delete and run is None:
        raise BadRequest("--delete: name what to delete; `lab history` lists ids")
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    if run is not None:
        _one(settings, _uuid("run", run), delete=delete, yes=yes, as_json=as_json)
    elif search is not None:
        near = asyncio.run(_near(settings, search, limit))
        if as_json:
            print_json([each.model_dump() for each in near])
        else:
            wide_console().print(found_table(near))
    else:
        wanted = HistoryFilter(
            **of_type(graph),
            status=status_of(status),
            thread_id=_uuid("--thread", thread) if thread else None,
            words=text,
        )
        listed = asyncio.run(_listed(settings, wanted, limit))
        if as_json:
            print_json(plain([listed_view(each, now()) for each in listed]))
        else:
            wide_console().print(run_table(listed))


def run_table(executions: Sequence[Execution]) -> Table:
    """A line an execution."""
    table = _table("when", "run", "graph", "status", "score", "tries", "request", "answer")
    for each in executions:
        score = each.figures.get("score")
        _add(
            table,
            when(each.created_at),
            str(each.execution_id),
            each.graph_id,
            each.status.lower(),
            f"{score:.2f}" if isinstance(score, int | float) else "",
            str(each.figures.get("attempts", "")),
            shorten(request_of(each), SHORT),
            shorten(each.answer or each.error or "", SHORT),
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


def print_whole(console: Console, whole: Whole) -> None:
    """One execution: what was asked, what each node did and how long it took, the answer and its cost."""
    execution, told = whole.execution, whole_view(whole, now())
    ids = f"run {execution.execution_id} · thread {execution.thread_id}"
    console.print(f"[dim]{ids} · {escape(shown(execution.graph_id))} · {when(execution.created_at)}[/]")
    console.print(f"[bold]{escape(shown(request_of(execution)))}[/]\n")
    for visit in whole.nodes:
        seconds = "" if visit.seconds is None else f"{visit.seconds:.2f} s"
        error = f"  {escape(shorten(visit.error))}" if visit.error else ""
        console.print(f"  {escape(shown(visit.node)):<24} {visit.status:<11} {seconds:>10}{error}")
    for line in _summary(execution):
        console.print(f"  [dim]{escape(shown(line))}[/]")
    console.print(Text("\n" + shown(told["output"] or told["error"] or "")))
    for asked in told["interrupts"]:
        console.print(Text(f"it asks: {shorten(str(asked['value']))}"))
    console.print(f"\n[dim]{escape(_cost(told))}[/]")


def request_of(execution: Execution) -> str:
    """What was asked."""
    return execution.request or RESUMED


def when(moment: datetime) -> str:
    """Local time, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _summary(execution: Execution) -> list[str]:
    """One line a node of the orchestrator, in its own words."""
    lines = execution.result.get("summary") if isinstance(execution.result, dict) else None
    return [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []


def _cost(told: dict[str, Any]) -> str:
    """Status, score and metrics in one line; what nobody measured is left out."""
    metrics = told["metrics"] or {}
    seconds, tokens = told["execution_time"], metrics.get("tokens_generated")
    load = metrics.get("load_time_sec") or 0.0
    hit = metrics.get("cache_hit")
    cache = "" if hit is None else "cache hit" if hit else f"cache miss (loaded in {load:.2f} s)"
    parts = (
        told["status"].lower(),
        f"score {told['score']:.2f}" if told["score"] is not None else "",
        f"{told['attempts']} attempt{'s' if told['attempts'] != 1 else ''}" if told["attempts"] is not None else "",
        "/".join(filter(None, (told["model"], told["strategy"]))),
        cache,
        f"{tokens} tokens" if tokens else "",
        f"{seconds:.2f} s" if seconds is not None else "",
    )
    return " · ".join(filter(None, parts))


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


def _one(settings: Settings, run_id: UUID, *, delete: bool, yes: bool, as_json: bool) -> None:
    """Show or delete one."""
    if delete:
        if not yes:
            typer.confirm(f"delete {run_id}, with its events and the thread that was made for it?", abort=True)
        asyncio.run(_delete(settings, run_id))
        return
    whole = asyncio.run(_whole(settings, run_id))
    if as_json:
        print_json(plain(whole_view(whole, now())))
    else:
        print_whole(Console(highlight=False, soft_wrap=True), whole)


async def _whole(settings: Settings, run_id: UUID) -> Whole:
    async with open_lab(settings) as lab:
        return await lab.histories.whole(TENANT, run_id)


async def _delete(settings: Settings, run_id: UUID) -> None:
    async with open_lab(settings) as lab:
        await lab.histories.delete(TENANT, run_id)


async def _listed(settings: Settings, wanted: HistoryFilter, limit: int) -> Sequence[Execution]:
    async with open_lab(settings) as lab:
        return (await lab.histories.rows.search(TENANT, wanted, limit=limit)).executions


async def _near(settings: Settings, text: str, limit: int) -> list[Found]:
    async with open_lab(settings) as lab:
        return await find_runs(lab.database.store, runs_of(None), text, limit=limit)
