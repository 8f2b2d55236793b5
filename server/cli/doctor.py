"""`lab doctor`: what was found, and what is wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from server.doctor import Finding, examine, failed
from server.lab import open_models_of
from server.settings import read_settings

MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Examine Postgres, torch, the device, memory and models. Exit code 2 when something is broken."""
    settings = read_settings()
    models = open_models_of(settings)
    try:
        findings = asyncio.run(examine(settings, models))
    finally:
        models.close()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if failed(findings):
        raise typer.Exit(2)


def _print(findings: list[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        way_out = f"\n    [dim]→ {escape(finding.way_out)}[/]" if finding.way_out else ""
        console.print(f"{MARKS[finding.state]} [bold]{escape(finding.name)}[/]: {escape(finding.found)}{way_out}")
