"""`lab eval run`: two configurations over one data set, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from graphs.services import Services, lab_tools
from llm.models import LocalModels
from server.cli.terminal import print_json, set_up_logging, shorten, wide_console
from server.experiments.compare import Comparison, Match, Pair, better, compare
from server.experiments.inputs import Configuration, Item, read_configuration, read_items
from server.experiments.run import Experiment, ResultFile
from server.lab import open_models_of
from server.settings import Settings, read_settings
from state.errors import BadRequest

INTERRUPTED = 130


def run(
    dataset: Annotated[Path, typer.Argument(help='lines {"prompt": "…", "expected": "…" or a list, "task": kind}')],
    a: Annotated[str, typer.Option("--a", help="graph=direct,model=demo,… or a YAML file; keys of a run's context")],
    b: Annotated[str, typer.Option("--b", help="the other configuration")],
    limit: Annotated[int | None, typer.Option(min=1, help="items at most")] = None,
    match: Annotated[
        str, typer.Option(help="an expected answer is the whole answer (exact) or in it (contains)")
    ] = "exact",
    out: Annotated[Path | None, typer.Option(help="keep each pair of answers here; the same command goes on")] = None,
    differences: Annotated[int, typer.Option(min=0, help="show so many items that one side won")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Answer every prompt with both configurations and compare: right answers, the validator's score, time, tokens.

    Ctrl-C ends it with the figures so far; with --out the same command goes on later. The database is left alone.
    """
    matching = read_match(match)
    sides = read_configuration(a), read_configuration(b)
    items = read_items(dataset, limit)
    kept = ResultFile(out, *sides, dataset, matching) if out is not None else None
    settings = read_settings()
    set_up_logging(settings, quiet=True)
    done = kept.read(items) if kept is not None else []
    pairs, whole = _answer(settings, sides, items, matching, done, kept)
    if pairs:
        _print(pairs, sides, differences, as_json)
    if not whole:
        raise typer.Exit(INTERRUPTED)


def read_match(text: str) -> Match:
    """Raises BadRequest."""
    for match in get_args(Match):
        if text == match:
            return match  # type: ignore[no-any-return]  # one of the literals
    raise BadRequest(f"--match: '{text}' is not one of {', '.join(get_args(Match))}")


def _answer(
    settings: Settings,
    sides: tuple[Configuration, Configuration],
    items: Sequence[Item],
    match: Match,
    done: Sequence[Pair],
    kept: ResultFile | None,
) -> tuple[list[Pair], bool]:
    """All pairs, and whether it came to the end."""
    pairs = [pair for pair in done if pair.index < len(items)]
    with open_models_of(settings) as models:
        for side in sides:
            _check(models, side)
        services = Services(models, tools=lab_tools(models), request_timeout_sec=settings.request_timeout)
        experiment = Experiment(*sides, services, match=match)
        try:
            asyncio.run(_collect(experiment, items, pairs, kept))
        except KeyboardInterrupt:
            way_on = "; the same command goes on" if kept is not None else "; with --out it could go on later"
            Console(stderr=True).print(f"[yellow]stopped after {len(pairs)} of {len(items)} items{way_on}[/]")
            return pairs, False
    return pairs, True


def _check(models: LocalModels, side: Configuration) -> None:
    """Raises NotFound for a model that does not exist, before anything is answered."""
    for name in (side.context.model, side.context.judge, side.context.analyst):
        if name is not None:
            models.card(name)


async def _collect(experiment: Experiment, items: Sequence[Item], pairs: list[Pair], kept: ResultFile | None) -> None:
    columns = (TextColumn("answering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(items), completed=len(pairs))
        async with aclosing(experiment.run(items, list(pairs))) as coming:
            async for pair in coming:
                if kept is not None:
                    await asyncio.to_thread(kept.append, pair)
                pairs.append(pair)
                progress.advance(bar)


def _print(pairs: Sequence[Pair], sides: tuple[Configuration, Configuration], differences: int, as_json: bool) -> None:
    comparison = compare(pairs)
    won = [pair for pair in pairs if better(pair) is not None][:differences]
    if as_json:
        shown = {"differences": [pair.model_dump() for pair in won]} if differences else {}
        configurations = {"configurations": [side.model_dump(mode="json") for side in sides]}
        print_json({**comparison.model_dump(), **configurations, **shown})
        return
    console = wide_console()
    console.print(make_table(comparison, sides))
    console.print(verdict(comparison))
    for pair in won:
        console.print(Text(f"\n{better(pair)} wins: {shorten(pair.prompt)}"))
        console.print(Text(f"  a: {shorten(pair.a.output)}\n  b: {shorten(pair.b.output)}"))


def make_table(comparison: Comparison, sides: tuple[Configuration, Configuration]) -> Table:
    """A line a configuration."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("", "configuration", "right", "score", "attempts", "seconds p50", "tokens", "errors", "wins"):
        table.add_column(column, justify="left" if column in ("", "configuration") else "right")
    wins = (comparison.wins_a, comparison.wins_b)
    for name, side, figures, won in zip("ab", sides, (comparison.a, comparison.b), wins, strict=True):
        right = "" if figures.right is None else f"{figures.right:.3f}"
        table.add_row(
            name,
            Text(side.name),
            right,
            f"{figures.score:.3f}",
            f"{figures.attempts:.2f}",
            f"{figures.seconds_p50:.2f}",
            f"{figures.tokens:.0f}",
            str(figures.errors),
            str(won),
        )
    return table


def verdict(comparison: Comparison) -> str:
    """Who wins, and how sure that is, in a line."""
    if comparison.win_rate is None or comparison.interval is None:
        return f"{comparison.items} items, all ties"
    low, high = comparison.interval
    sure = "the difference may be chance" if comparison.p_value > 0.05 else "more than chance"
    return (
        f"{comparison.items} items, {comparison.ties} ties; b wins {comparison.win_rate:.1%} of the others "
        f"(95 % interval {low:.1%} to {high:.1%}, sign test p = {comparison.p_value:.3g}: {sure})"
    )
