"""`lab models info`: everything that is known of one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from llm.loading.files import hub_cache, local_folder
from llm.models import LocalModels
from llm.sizing import human_bytes
from server.catalogue import describe
from server.cli.models.listing import human_count, look, with_residents
from server.cli.terminal import wide_console
from server.lab import open_models_of
from server.settings import Settings, read_settings
from server.wire.models import ModelInfo
from state.resources import Reading, Resident


def info(
    name: Annotated[str, typer.Argument(help="catalogue name")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show one model: its card, its files, the memory it takes by strategy, whether that fits."""
    settings = read_settings()
    with open_models_of(settings) as models:
        told, folder, reading = describe(models, name), _folder(models, name), models.reading()
    server = look(settings)
    if server is not None:
        told = with_residents(told, server)
    if as_json:
        typer.echo(told.model_dump_json(indent=2))
        return
    console = wide_console()
    console.print(Text.assemble((told.name, "bold"), f"  {told.description}"))
    console.print(_make_grid(_lines(told, folder, reading, settings, server=server is not None)))


def _folder(models: LocalModels, name: str) -> Path | None:
    entry = models.catalog.entry(name)
    return local_folder(entry) if entry.card.provider == "local" else None


def _make_grid(lines: list[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for label, text in lines:
        grid.add_row(f"  {label}", Text(text))
    return grid


def _lines(
    info: ModelInfo, folder: Path | None, reading: Reading, settings: Settings, *, server: bool
) -> list[tuple[str, str]]:
    lines = [("source", _source(info))]
    if info.parameters:
        lines.append(("parameters", human_count(info.parameters)))
    lines += [
        ("context", f"{info.context_length:,} tokens, answers of {info.max_output_tokens:,} unless a call says more"),
        ("can", ", ".join(info.capabilities)),
        ("languages", ", ".join(info.languages)),
    ]
    if info.remote:
        return [*lines, ("asked", "yes" if info.here else "no: LAB_OFFLINE is set")]
    lines += [("tool calls", info.tool_format)] if "tools" in info.capabilities else []
    lines.append(("files", str(folder) if folder else _where_to_come_from(info)))
    if folder is None and info.repo:
        token = "is set" if settings.hf_token else "is not set"
        lines.append(
            ("licence", f"see the page of {info.repo}; where it must be accepted, HF_TOKEN says who did ({token})")
        )
    if info.problem:
        return [*lines, ("problem", info.problem)]
    weights = ", ".join(f"{strategy} {human_bytes(size)}" for strategy, size in info.bytes_needed.items())
    lines.append(("weights", weights))
    lines.append(("KV", _kv(info.kv_bytes_per_token)))
    fits = ", ".join(info.fits) or "no strategy; lab models fit shows what does"
    lines.append(("fits", f"{fits} (models may take {human_bytes(reading.budget_bytes)} here)"))
    if server:
        lines.append(("loaded", "; ".join(map(resident_line, info.residents)) or "no"))
    return lines


def _source(info: ModelInfo) -> str:
    if info.remote:
        where = f" at {info.base_url}" if info.base_url else ""
        return f"{info.provider}: {info.model_id or info.factory}{where}"
    added = ", added by a request" if info.added else ""
    return f"{info.repo} at commit {info.revision}{added}" if info.repo else f"folder {info.path}"


def _where_to_come_from(info: ModelInfo) -> str:
    if info.repo is None:
        return f"no folder {info.path}; restore it or take the entry out of the catalogue"
    return f"not in {hub_cache(None)}; lab models pull {info.name} fetches them"


def _kv(bytes_per_token: int) -> str:
    return (
        f"{human_bytes(1000 * bytes_per_token)} for 1,000 tokens"
        if bytes_per_token
        else "known once the files are here"
    )


def resident_line(model: Resident) -> str:
    """`standard, 4.2 MiB + 8.0 MiB of KV, idle for 12 s, leaves in 288 s`."""
    kv = f" + {human_bytes(model.kv_bytes)} of KV" if model.kv_bytes else ""
    if model.leases:
        use = f"answers {model.leases} calls"
    elif model.pinned:
        use = "pinned: it makes room for nobody"
    elif model.expires_in_sec is None:
        use = "stays until its room is needed"
    else:
        use = f"leaves in {model.expires_in_sec:.0f} s if nobody asks for it"
    return f"{model.strategy}, {human_bytes(model.size_bytes)}{kv}, {use}"
