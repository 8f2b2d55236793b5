"""`lab eval validator`: how many bad answers the checks find, and how many good ones they reject."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from nodes.checks.evaluate import (
    HELD_OUT,
    Figures,
    Judged,
    LabelRow,
    errors,
    judge,
    label_rows,
    languages,
    measure,
    read_lines,
)
from server.cli.terminal import print_json, shorten, wide_console


def validator(
    file: Annotated[
        Path | None, typer.Argument(help='lines {"prompt", "answer", "task", "label"}; without it the shipped split')
    ] = None,
    shown: Annotated[int, typer.Option("--errors", min=0, help="show so many answers judged wrongly")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Judge labelled answers: "good" is good, every other label is a failure and shown on its own."""
    path = file or HELD_OUT
    judged = judge(read_lines(path))
    figures, rows, by_language = measure(judged), label_rows(judged), languages(judged)
    wrong = errors(judged)[:shown]
    if as_json:
        print_json(_told(path, figures, rows, by_language, wrong))
        return
    console = wide_console()
    console.print(_figures_table({"all": figures, **by_language}))
    console.print(_label_table(rows))
    for one in wrong:
        reasons = ", ".join(f"{reason.name} ({reason.evidence})" for reason in one.verdict.reasons) or "nothing found"
        console.print(Text(f"\n{one.line.label}, {one.line.task}: {one.verdict.score:.2f}, {reasons}"))
        console.print(Text(f"  request: {shorten(one.line.prompt)}\n  answer:  {shorten(one.line.answer)}"))


def _figures_table(parts: dict[str, Figures]) -> Table:
    """A line for all answers, and one a language."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    names = ("", "answers", "good rejected", "surface found", "semantic found", "other found", "AUC", "p50 ms")
    for name in names:
        table.add_column(name, justify="left" if not name else "right")
    for name, part in parts.items():
        shares = (part.good_rejected, part.surface_recall, part.semantic_recall, part.other_recall, part.auc)
        table.add_row(name, str(part.lines), *(_share(share) for share in shares), f"{part.p50_millis:.2f}")
    return table


def _label_table(rows: list[LabelRow]) -> Table:
    """A line a label."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("label", "is", "answers", "rejected", "reasons given"):
        table.add_column(name, justify="right" if name in ("answers", "rejected") else "left")
    for row in rows:
        table.add_row(Text(row.label), row.kind, str(row.lines), _share(row.rejected), row.reasons)
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _told(
    path: Path, figures: Figures, rows: list[LabelRow], by_language: dict[str, Figures], wrong: list[Judged]
) -> dict[str, Any]:
    return {
        "file": str(path),
        **figures._asdict(),
        "labels": [row._asdict() for row in rows],
        "languages": {name: part._asdict() for name, part in by_language.items()},
        "errors": [{**one.line._asdict(), **one.verdict.model_dump(mode="json")} for one in wrong],
    }
