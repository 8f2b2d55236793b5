"""`lab eval analyzer`: how often the analyzer is right about labelled requests, by kind and by language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nodes.kinds.evaluate import HELD_OUT, Analysed, Figures, KindRow, analyse_all, kind_rows, measure, read_lines
from server.cli.terminal import print_json, shorten, wide_console


def analyzer(
    file: Annotated[
        Path | None, typer.Argument(help='lines {"prompt", "task"} and, if known, "lang"; without it the shipped split')
    ] = None,
    shown: Annotated[int, typer.Option("--errors", min=0, help="show so many requests taken for another kind")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Analyse labelled requests: accuracy, macro-F1, the gap between English and Spanish, time. No model is loaded."""
    path = file or HELD_OUT
    analysed = analyse_all(read_lines(path))
    figures, rows = measure(analysed), kind_rows(analysed)
    wrong = [one for one in analysed if not one.right][:shown]
    if as_json:
        print_json(_told(path, figures, rows, wrong))
        return
    console = wide_console()
    console.print(_figures_table(figures))
    console.print(_kind_table(rows))
    for one in wrong:
        said = f"{one.analysis.kind} {one.analysis.confidence:.2f}, then {one.analysis.second_kind or 'none'}"
        console.print(Text(f"\n{one.line.task}, taken for {said}\n  {shorten(one.line.prompt)}"))


def _figures_table(figures: Figures) -> Table:
    """One figure a line."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("requests", str(figures.lines))
    shares = {
        "accuracy": figures.accuracy,
        "macro-F1": figures.macro_f1,
        "first or second kind": figures.with_second,
        "mean confidence": figures.mean_confidence,
        "accuracy, English": figures.english,
        "accuracy, Spanish": figures.spanish,
        "gap": figures.gap,
        "language told": figures.language_accuracy,
    }
    for name, share in shares.items():
        if share is not None:
            table.add_row(name, f"{share:.3f}")
    table.add_row("p50 ms", f"{figures.p50_millis:.2f}")
    table.add_row("p95 ms", f"{figures.p95_millis:.2f}")
    return table


def _kind_table(rows: list[KindRow]) -> Table:
    """A line a kind."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("kind", "requests", "recall", "precision", "F1", "taken for"):
        table.add_column(name, justify="left" if name in ("kind", "taken for") else "right")
    for row in rows:
        shares = (f"{share:.2f}" for share in (row.recall, row.precision, row.f1))
        table.add_row(row.kind, str(row.lines), *shares, row.taken_for)
    return table


def _told(path: Path, figures: Figures, rows: list[KindRow], wrong: list[Analysed]) -> dict[str, Any]:
    return {
        "file": str(path),
        **figures._asdict(),
        "kinds": [row._asdict() for row in rows],
        "errors": [{**one.line._asdict(), "analysis": one.analysis.model_dump(mode="json")} for one in wrong],
    }
