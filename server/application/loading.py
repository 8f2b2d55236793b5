"""From a langgraph.json to what its graphs point at; the user's own code runs here for the first time."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from server.application.allowed_types import modules_under, types_in
from server.application.config import AppConfig
from server.application.embedding import EMBED, index_of, is_target
from server.application.environment import folders_of, missing_packages, set_environment
from server.application.factories import Compiled, Factory, compiled, parameters_of
from server.application.importing import Importer
from server.application.json_lines import KeyPath
from server.db.vectors import VectorIndex
from server.settings import process_environment
from state.errors import BadRequest

log = logging.getLogger(__name__)

NOT_PYTHON = (".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".tsx", ".jsx")


@dataclass(frozen=True)
class Served:
    """One graph of an application: compiled once, or made for each use."""

    name: str
    target: Compiled | Factory
    description: str | None = None


@dataclass(frozen=True)
class Loaded:
    """An application's code."""

    graphs: Mapping[str, Served]
    app: object | None = None
    """The ASGI application that `http.app` names."""
    types: frozenset[type] = field(default=frozenset())
    """Classes of its own modules that a state may hold wherever it is annotated with Any."""
    index: VectorIndex | None = None
    """What `store.index` describes."""


def load(config: AppConfig) -> Loaded:
    """Import everything that the file names. It blocks: call it off the event loop. Raises BadRequest."""
    set_environment(config, process_environment())
    folders = folders_of(config)
    importer = Importer(folders)
    for warning in missing_packages(config):
        log.warning("%s", warning)
    graphs = {name: _graph(config, importer, name) for name in config.graphs}
    app = None if config.http.app is None else _object(config, importer, ("http", "app"), config.http.app)
    if app is not None and not callable(app):
        raise config.mistake(("http", "app"), f"it is a {type(app).__name__}; expected a Starlette or FastAPI object")
    index = config.store.index
    embed = _object(config, importer, EMBED, index.embed) if index is not None and is_target(index.embed) else None
    types = frozenset(types_in(modules_under(folders, sys.modules)))
    return Loaded(graphs, app, types, index_of(config, embed))


def target_of(name: str, found: object) -> Compiled | Factory:
    """What can be served of an object. Raises BadRequest that says what it is instead."""
    if isinstance(found, StateGraph | Pregel):
        return compiled(name, found)
    if callable(found):
        return parameters_of(found)
    raise BadRequest(
        f"it is a {type(found).__name__}; expected a compiled graph, a StateGraph or a function making one"
    )


def _graph(config: AppConfig, importer: Importer, name: str) -> Served:
    spec = config.graphs[name]
    at = ("graphs", name)
    found = _object(config, importer, at, spec.path)
    try:
        target = target_of(name, found)
    except Exception as error:  # compiling is the user's graph's doing: an edge to nowhere, a missing entry point
        said = str(error) if isinstance(error, BadRequest) else f"{type(error).__name__}: {error}"
        raise config.mistake(at, f"{spec.path} cannot be served: {said}") from error
    for kept in ("checkpointer", "store"):
        if isinstance(target, Pregel) and getattr(target, kept) not in (None, False, True):
            log.warning("%s", config.said(at, f"its own {kept} is not used; the server's is"))
    return Served(name, target, spec.description)


def _object(config: AppConfig, importer: Importer, at: KeyPath, target: str) -> object:
    """The object that "./file.py:name" or "module:name" names. Raises BadRequest."""
    where, _, name = target.rpartition(":")
    if not where or not name.isidentifier():
        raise config.mistake(at, f"'{target}' names no object; write ./path/to/file.py:name or module:name")
    if where.endswith(NOT_PYTHON):
        raise config.mistake(at, f"{where}: only graphs written in Python are served")
    file = (config.folder / where) if "/" in where or "\\" in where or where.endswith(".py") else None
    if file is not None and not file.is_file():
        raise config.mistake(at, f"there is no file {file}; paths are relative to {config.folder}")
    try:
        module = importer.file(file) if file is not None else importer.module(where)
    except ModuleNotFoundError as error:
        way_out = f"install it, or name its folder in dependencies: {list(config.document.dependencies)}"
        raise config.mistake(at, f"{where} needs the module '{error.name}', which is not there; {way_out}") from error
    except (Exception, SystemExit) as error:
        raise config.mistake(at, f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        there = ", ".join(sorted(key for key in vars(module) if not key.startswith("_"))) or "none"
        raise config.mistake(at, f"there is no '{name}' in {where}; names in it: {there[:300]}") from None
