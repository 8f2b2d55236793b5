"""What an experiment is given: a data set of prompts, and configurations to answer them with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphs.catalog import builder_of
from nodes.labelled import read_rows
from state.context import Context
from state.errors import BadRequest
from state.tasks import Kind

MAX_ITEMS = 100_000


class Item(BaseModel):
    """One line of a data set. Other keys are kept out of the comparison."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: str = Field(min_length=1)
    expected: tuple[str, ...] = Field((), description="answers that count as right; none: only the score compares")
    task: Kind | None = Field(None, description="its kind, where known; else the analyzer says it")


class Configuration(BaseModel):
    """A graph and the settings of its runs."""

    model_config = ConfigDict(frozen=True)

    name: str
    graph: str
    context: Context


def read_items(path: Path, limit: int | None = None) -> list[Item]:
    """The items of a JSONL file. Raises BadRequest with the file and line of the first that is wrong."""
    items = [_item(row, where) for where, row in read_rows(path, '{"prompt": "…", "expected": "…"}')]
    if len(items) > MAX_ITEMS:
        raise BadRequest(f"{path}: {len(items):,} items, {MAX_ITEMS:,} are allowed")
    return items[:limit]


def read_configuration(text: str) -> Configuration:
    """`graph=direct,model=demo,temperature=0.4`, or the path of a YAML or JSON file with the same keys.

    `graph` is `orchestrator` unless given; the other keys are those of a run's context. Raises BadRequest, NotFound.
    """
    given = _from_file(Path(text)) if text.endswith((".yaml", ".yml", ".json")) else _from_pairs(text)
    graph = str(given.pop("graph", "orchestrator"))
    builder_of(graph)
    try:
        # Runs of an experiment know nothing of each other unless asked to: one would recall the other's answer.
        context = Context.model_validate({"related_runs": 0, **given})
    except ValidationError as error:
        wrong = error.errors()[0]
        known = ", ".join(("graph", *Context.model_fields))
        raise BadRequest(f"{text}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}; keys: {known}") from error
    if context.approve or context.approve_tools or context.approve_load_over is not None:
        raise BadRequest(f"{text}: nobody is there to approve anything during an experiment; leave approve… out")
    return Configuration(name=text, graph=graph, context=context)


def _item(row: dict[str, Any], where: str) -> Item:
    if "expected" in row and not isinstance(row["expected"], list):
        row = {**row, "expected": () if row["expected"] is None else (row["expected"],)}
    try:
        return Item.model_validate(row)
    except ValidationError as error:
        wrong = error.errors()[0]
        raise BadRequest(f"{where}: {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from error


def _from_pairs(text: str) -> dict[str, Any]:
    """Values are read as YAML: 3 is a number, true a truth, [a, b] a list."""
    given: dict[str, Any] = {}
    for pair in _split(text):
        name, sign, value = pair.partition("=")
        if not sign:
            raise BadRequest(f"{text}: expected key=value pairs with commas between, or a .yaml or .json file")
        given[name.strip()] = _yaml(value, text)
    return given


def _split(text: str) -> list[str]:
    """At commas that stand in no brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[{") - (char in "]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part for part in parts if part.strip()]


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path}: the configuration cannot be read: {error}") from error
    given = _yaml(text, str(path))
    if not isinstance(given, Mapping):
        raise BadRequest(f"{path}: expected keys and values, such as `model: demo`")
    return {str(name): value for name, value in given.items()}


def _yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a day such as 2024-99-99
        raise BadRequest(f"{where}: it cannot be read as YAML: {' '.join(str(error).split())}") from error
