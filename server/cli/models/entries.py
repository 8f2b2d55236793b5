"""`lab models add` and `remove`: entries of the catalogue that are kept beside the files.

The running server is asked where there is one, since it would not see a change of its file; else the file is changed.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from llm.sizing import human_bytes
from server import catalogue
from server.cli.models.client import open_server
from server.cli.models.options import read_body
from server.lab import open_models_of
from server.settings import read_settings
from server.wire.models import ModelInfo, NewModel

OPTIONS = {
    "repo": "--repo",
    "revision": "--revision",
    "context_length": "--context",
    "parameters": "--parameters",
    "embedding_parameters": "--embedding-parameters",
    "max_output_tokens": "--max-output",
    "description": "--description",
    "capabilities": "--capability",
    "languages": "--language",
    "stop": "--stop",
    "tool_format": "--tool-format",
    "bits": "--bits",
    "keep_alive": "--keep-alive",
}


def add(
    name: Annotated[str, typer.Argument(help="what it will be called")],
    repo: Annotated[str, typer.Option(help="owner/name on the Hugging Face hub")],
    revision: Annotated[str, typer.Option(help="commit the weights are pinned to, 40 hex digits")],
    context: Annotated[int, typer.Option(help="tokens, prompt and answer together")],
    parameters: Annotated[int, typer.Option(help="number of weights")],
    embedding_parameters: Annotated[
        int | None, typer.Option(help="of these, embeddings and output head: sharpens the sizes")
    ] = None,
    max_output: Annotated[int | None, typer.Option(help="answer length when a call does not say [512]")] = None,
    description: Annotated[str | None, typer.Option(help="a line for people")] = None,
    capability: Annotated[
        list[str] | None, typer.Option(help="chat, code, math, tools …; again for more [chat]")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="en, es …; again for more [en]")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="a string that ends its answers; again for more")] = None,
    tool_format: Annotated[str | None, typer.Option(help="hermes, mistral, llama3 or json [hermes]")] = None,
    bits: Annotated[int | None, typer.Option(help="4 or 8, under strategy optimized [4]")] = None,
    keep_alive: Annotated[float | None, typer.Option(help="seconds it stays idle in memory [LAB_KEEP_ALIVE]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Add a model of the Hugging Face hub to the catalogue. Nothing is fetched yet."""
    fields = read_body(
        NewModel,
        OPTIONS,
        repo=repo,
        revision=revision,
        context_length=context,
        parameters=parameters,
        embedding_parameters=embedding_parameters,
        max_output_tokens=max_output,
        description=description,
        capabilities=capability,
        languages=language,
        stop=stop,
        tool_format=tool_format,
        bits=bits,
        keep_alive=keep_alive,
    )
    info = _add(name, fields)
    if as_json:
        typer.echo(info.model_dump_json(indent=2))
        return
    sizes = ", ".join(f"{strategy} {human_bytes(size)}" for strategy, size in info.bytes_needed.items())
    typer.echo(f"added {name}: {sizes}. Fetch it with: lab models pull {name}")


def remove(
    name: Annotated[str, typer.Argument(help="catalogue name")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Remove a model that was added. Its files stay on the disk."""
    settings = read_settings()
    with open_server(settings) as server:
        if server.look() is not None:
            server.remove(name)
        else:
            with open_models_of(settings) as models:
                catalogue.remove(models, name)
    typer.echo(json.dumps({"removed": name}) if as_json else f"removed {name}")


def _add(name: str, fields: dict[str, object]) -> ModelInfo:
    settings = read_settings()
    with open_server(settings) as server:
        if server.look() is not None:
            return server.add(name, fields)
    with open_models_of(settings) as models:
        catalogue.add(models, name, NewModel.model_validate(fields))
        return catalogue.describe(models, name)
