"""`lab models`: what can be asked for."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from llm.sizing import human_bytes
from server.lab import open_models_of
from server.settings import read_settings


def models(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """List the catalogue: name, size, context, memory by strategy."""
    door = open_models_of(read_settings())
    try:
        rows = [
            {
                **card.model_dump(mode="json"),
                "bytes_standard": door.bytes_needed(card.name, "standard"),
                "bytes_optimized": door.bytes_needed(card.name, "optimized"),
            }
            for card in door.cards()
        ]
    finally:
        door.close()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table()
    for name in ("model", "parameters", "context", "standard", "optimized"):
        table.add_column(name, no_wrap=True, justify="left" if name == "model" else "right")
    table.add_column("what for")
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['parameters'] / 1e6:,.0f} M",
            f"{row['context_length']:,}",
            human_bytes(row["bytes_standard"]),
            human_bytes(row["bytes_optimized"]),
            f"{row['description']} ({', '.join(row['capabilities'])})",
        )
    Console().print(table)
