"""Importing the user's modules by the names they use for each other, also where Agent Lab has modules of those names.

Our floors are import roots: `state`, `nodes`, `graphs`, `llm`, `server`. Applications have files of these names too,
and `from state import State` in one must not reach ours. Such files are loaded under another name, and the imports in
the application's own modules are led there; nothing else sees a difference.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

OURS = ("graphs", "llm", "nodes", "server", "state")
OWN_ROOT = Path(__file__).parents[2]
PREFIX = "_served_"

log = logging.getLogger(__name__)


class Importer:
    """Imports modules of one application. One a process: modules are the process's."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """`roots`: the application's folders, absolute; they go to the end of the import path."""
        self._roots = [root.resolve() for root in roots]
        sys.path += [str(root) for root in self._roots if str(root) not in sys.path]
        self._renamed = {name: found for name in OURS if (found := shadowed(name, self._roots)) is not None}
        if self._renamed:
            sys.meta_path.insert(0, _AppFinder(self._roots, self._renamed))

    def module(self, name: str) -> ModuleType:
        """By name. Raises whatever importing raises."""
        return importlib.import_module(_renamed(name, self._renamed))

    def file(self, path: Path) -> ModuleType:
        """By file: under the name by which other modules import it, if they can; else under one of its own.

        Under one name there is one module, so a class in it is one class, and checkpoints can name it.
        """
        path = path.resolve()
        # The innermost folder first, as in `src/`; a folder that is a package itself last: its modules import each
        # other through it.
        for root in sorted(self._roots, key=lambda root: ((root / "__init__.py").exists(), -len(root.parts))):
            name = dotted_name(root, path)
            if name is not None and self._leads_to(name, path):
                return self.module(name)
        return _load_alone(path)

    def _leads_to(self, name: str, path: Path) -> bool:
        try:
            spec = importlib.util.find_spec(_renamed(name, self._renamed))
        except Exception as error:  # a package around it that cannot be imported: the file alone may still be
            log.warning("%s is loaded by itself: the package around it cannot be imported: %s", path, error)
            return False
        return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path


def shadowed(name: str, roots: Iterable[Path]) -> Path | None:
    """The application's own module or package of this name, a folder or a file; None where it has none."""
    for root in roots:
        folder, file = root / name, root / f"{name}.py"
        if root == OWN_ROOT:
            continue
        if file.is_file():
            return file
        if folder.is_dir() and any(folder.rglob("*.py")):
            return folder
    return None


def dotted_name(root: Path, path: Path) -> str | None:
    """`pkg.inner.mod` for a file below `root`, or None where no import statement could name it."""
    if not path.is_relative_to(root):
        return None
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


def _renamed(name: str, renamed: Mapping[str, Path]) -> str:
    return f"{PREFIX}{name}" if name.partition(".")[0] in renamed else name


def _load_alone(path: Path) -> ModuleType:
    """A file that no import could name, such as `my-agent.py`; its name is the same in every process."""
    name = PREFIX + "".join(char if char.isalnum() else "_" for char in str(path))
    if name in sys.modules:
        return sys.modules[name]
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


class _AppFinder(MetaPathFinder):
    """Finds the application's modules as usual, and gives them imports that know the renamed ones."""

    def __init__(self, roots: Sequence[Path], renamed: Mapping[str, Path]) -> None:
        self._roots = roots
        self._renamed = renamed
        self._builtins = vars(builtins) | {"__import__": self._import}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours = self._renamed.get(fullname.removeprefix(PREFIX)) if fullname.startswith(PREFIX) else None
        spec = _spec_at(fullname, ours) if ours is not None else PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return spec
        origin = Path(spec.origin)
        if "site-packages" in origin.parts or not any(origin.is_relative_to(root) for root in self._roots):
            return spec
        spec.loader = _AppLoader(spec.name, spec.origin, self._builtins)
        return spec

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What an import statement calls."""
        found = name if level else _renamed(name, self._renamed)
        return builtins.__import__(found, globals, locals, fromlist or (), level)


class _AppLoader(SourceFileLoader):
    """A module's import statements look `__import__` up in its own builtins."""

    def __init__(self, fullname: str, path: str, own_builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = own_builtins

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._builtins
        super().exec_module(module)


def _spec_at(name: str, found: Path) -> ModuleSpec | None:
    """A module of another name than its file's."""
    if found.is_file():
        return importlib.util.spec_from_file_location(name, found, loader=SourceFileLoader(name, str(found)))
    init = found / "__init__.py"
    if not init.is_file():
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(found)]
        return spec
    loader = SourceFileLoader(name, str(init))
    return importlib.util.spec_from_file_location(name, init, loader=loader, submodule_search_locations=[str(found)])
