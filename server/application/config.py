"""Reading langgraph.json: every mistake is told with file, line and the way out."""

from __future__ import annotations

import difflib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from server.application.json_lines import KeyPath, key_lines, line_of
from server.application.shapes import (
    CheckpointerConfig,
    Document,
    GraphSpec,
    HttpConfig,
    StoreConfig,
    WebhooksConfig,
)
from state.errors import BadRequest

MAX_CONFIG_BYTES = 1_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AppConfig:
    """One langgraph.json: what it says, and where it says it."""

    file: Path
    document: Document
    lines: Mapping[KeyPath, int]

    @property
    def folder(self) -> Path:
        """What paths in the file are relative to."""
        return self.file.parent

    @property
    def graphs(self) -> Mapping[str, GraphSpec]:
        return self.document.graphs

    @property
    def store(self) -> StoreConfig:
        return self.document.store

    @property
    def checkpointer(self) -> CheckpointerConfig:
        return self.document.checkpointer

    @property
    def http(self) -> HttpConfig:
        return self.document.http

    @property
    def webhooks(self) -> WebhooksConfig:
        return self.document.webhooks

    def mistake(self, path: KeyPath, what: str) -> BadRequest:
        """An error about one key, to raise."""
        return BadRequest(self.said(path, what))

    def said(self, path: KeyPath, what: str) -> str:
        """`what` with the file, the line and the key that it is about."""
        return _said(self.file, self.lines, path, what)


def read_config(file: Path) -> AppConfig:
    """What a langgraph.json says; unknown keys are logged. Raises BadRequest: no such file, no JSON, a wrong value."""
    file = file.expanduser().absolute()
    text = _read(file)
    raw = _parse(file, text)
    lines = key_lines(text)
    _check_form(file, lines, raw)
    try:
        document = Document.model_validate_json(json.dumps(_normal(raw)))
    except ValidationError as error:
        said = [_said(file, lines, wrong["loc"], _advice(wrong)) for wrong in error.errors()]
        raise BadRequest("; ".join(said)) from None
    config = AppConfig(file, document, lines)
    for warning in unknown_keys(config):
        log.warning("%s", warning)
    return config


def unknown_keys(config: AppConfig) -> list[str]:
    """A line for each key that no server knows, with the key that may have been meant."""
    return [
        config.said(path, f"this key is not known and not used{_meant(str(path[-1]), known)}")
        for path, known in _unknown(config.document, ())
    ]


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise BadRequest(f"{file}: there is no such file; name a langgraph.json with --config") from None
    except OSError as error:
        raise BadRequest(
            f"{file}: it cannot be read ({error.strerror}); name a langgraph.json with --config"
        ) from error
    if len(data) > MAX_CONFIG_BYTES:
        raise BadRequest(f"{file}: it has {len(data):,} bytes, {MAX_CONFIG_BYTES:,} are allowed")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


def _parse(file: Path, text: str) -> Any:
    """JSON; a key said twice is a mistake, since one of the two would be lost."""

    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            line = text[: text.rfind(json.dumps(twice))].count("\n") + 1
            raise BadRequest(f'{file}:{line}: "{twice}" is said twice in one place; keep one of them')
        return values

    def refuse(constant: str) -> None:
        raise BadRequest(f"{file}: {constant} is not JSON; write a number")

    try:
        return json.loads(text, object_pairs_hook=without_doubles, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"{file}:{error.lineno}: this is not JSON: {error.msg} (column {error.colno}); "
            "comments and trailing commas are not allowed"
        ) from None
    except RecursionError:
        raise BadRequest(f"{file}: it is nested too deep to be a langgraph.json") from None


def _check_form(file: Path, lines: Mapping[KeyPath, int], raw: object) -> None:
    """What needs an advice of its own. Raises BadRequest."""
    if not isinstance(raw, dict):
        raise BadRequest(f'{file}:1: expected an object such as {{"graphs": {{"agent": "./agent.py:graph"}}}}')
    if not raw.get("graphs"):
        what = 'no graph is named; say "graphs": {"agent": "./agent.py:graph"}'
        raise BadRequest(_said(file, lines, ("graphs",), what))
    if raw.get("auth"):
        what = "authentication by the application is not supported yet; take the key out to serve on this machine only"
        raise BadRequest(_said(file, lines, ("auth",), what))
    for key in ("encryption", "priority"):
        if raw.get(key):
            raise BadRequest(_said(file, lines, (key,), "this is not supported; take the key out"))


def _normal(raw: dict[str, Any]) -> dict[str, Any]:
    """The same with every graph in its long form, env as a mapping or a file, and no keys that null leaves open."""
    given = {key: value for key, value in raw.items() if value is not None}
    if isinstance(given.get("graphs"), dict):
        given["graphs"] = {name: _long_form(spec) for name, spec in given["graphs"].items()}
    for part in ("http", "webhooks", "store", "checkpointer"):
        if isinstance(given.get(part), dict):
            given[part] = {key: value for key, value in given[part].items() if value is not None}
    if isinstance(given.get("env"), dict):
        given["env"] = {name: _env_text(value) for name, value in given["env"].items()}
    elif isinstance(given.get("env"), str):
        given["env_file"] = given.pop("env")
    return given


def _long_form(spec: object) -> object:
    return {"path": spec} if isinstance(spec, str) else spec


def _env_text(value: object) -> object:
    """Numbers as they would be written into an .env file; true and false are left to be refused: which spelling?"""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _advice(wrong: Any) -> str:
    match wrong["type"]:
        case "string_type" | "dict_type" | "mapping_type" if wrong["loc"][0] == "env":
            return 'expected {"NAME": "text"}, or a file such as ".env"'
        case "missing":
            return f'"{wrong["loc"][-1]}" is missing; add it'
        case _:
            said: str = wrong["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
            return f"{said}, it is {json.dumps(wrong['input'], default=str)[:80]}"


def _said(file: Path, lines: Mapping[KeyPath, int], path: KeyPath, what: str) -> str:
    key = ".".join(str(part) for part in path)
    return f"{file}:{line_of(lines, path)}: {f'{key}: ' if key else ''}{what}"


def _unknown(part: BaseModel, at: KeyPath) -> Iterator[tuple[KeyPath, list[str]]]:
    """Paths of keys that no field is named like, each with the names of the fields there."""
    fields = type(part).model_fields
    names = [field.alias or name for name, field in fields.items()]
    yield from (((*at, key), names) for key in part.model_extra or {})
    for name in fields:
        value = getattr(part, name)
        for key, inner in value.items() if isinstance(value, Mapping) else ((None, value),):
            if isinstance(inner, BaseModel):
                yield from _unknown(inner, (*at, name) if key is None else (*at, name, key))


def _meant(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
