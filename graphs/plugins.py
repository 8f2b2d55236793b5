"""Plugins that the operator's configuration names: `path/to/file.py:name` or `package.module:name`.

Only configuration names them, never a request: importing a file runs it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from nodes.plugins import Plugin
from state.errors import BadRequest

NODE_NAME = r"[A-Za-z][A-Za-z0-9_]{0,39}"


def load_plugins(specs: Sequence[str]) -> tuple[Plugin, ...]:
    """The plugins in the order they are named. Raises BadRequest that says which line is wrong and why."""
    plugins: list[Plugin] = []
    modules: dict[str, ModuleType] = {}
    for spec in specs:
        found = _load(spec, modules)
        if any(found.name == other.name for other in plugins):
            raise BadRequest(f"{spec}: a plugin named '{found.name}' is there already; give it another name=")
        plugins.append(found)
    return tuple(plugins)


def _load(spec: str, modules: dict[str, ModuleType]) -> Plugin:
    """The plugin that one line names. `modules`: those loaded already, as a file of two plugins is run once."""
    where, _, name = spec.rpartition(":")
    if not where or not name.isidentifier():
        raise BadRequest(f"{spec}: expected path/to/file.py:name or package.module:name")
    module = modules.get(where) or _module(spec, where)
    modules[where] = module
    try:
        found = getattr(module, name)
    except AttributeError as error:
        here = ", ".join(key for key, value in vars(module).items() if isinstance(value, Plugin)) or "none"
        raise BadRequest(f"{spec}: there is no '{name}' in it; plugins in it: {here}") from error
    if not isinstance(found, Plugin):
        raise BadRequest(f"{spec}: '{name}' is not a plugin; put @plugin(…) above the function (nodes/plugins.py)")
    if not re.fullmatch(NODE_NAME, found.name):
        raise BadRequest(f"{spec}: '{found.name}' cannot name a node; use letters, digits and _")
    return found


def _module(spec: str, where: str) -> ModuleType:
    try:
        return _file(Path(where).expanduser()) if where.endswith(".py") else importlib.import_module(where)
    except BadRequest:
        raise
    except (Exception, SystemExit) as error:  # the user's own code, run for the first time
        raise BadRequest(f"{spec}: it cannot be imported: {type(error).__name__}: {error}") from error


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadRequest(f"{path}: there is no such file; paths are relative to the folder that lab is started in")
    name = f"lab_plugin_{path.stem}_{abs(hash(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as an import would: dataclasses and annotations look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
