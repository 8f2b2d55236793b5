"""Agents from a folder: every `*.py` in it is imported, every class derived from BaseAgent is a kind.

The folder is the operator's, named by settings alone: importing a file runs it. Files that begin with `_` are not
looked at; others may import them (`from ._helper import …`). A broken file stops no other one, and a file that breaks
while the server runs keeps the classes it last had.
"""

from __future__ import annotations

import hashlib
import importlib
import linecache
import logging
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, MappingProxyType, ModuleType

from nodes.agents.base import BaseAgent
from nodes.agents.faults import Fault, fault_of, line_of
from nodes.agents.python import PythonKind, kind_of_class
from state.agents import NewAgent
from state.errors import BadRequest

LOOK_EVERY_SEC = 0.5
"""With hot reload: how often the folder is looked at, at most."""
SETTLED_SEC = 0.2
"""A file that was written less long ago may be half written, which can be Python with a class too few."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """What a look at the folder found."""

    by_file: Mapping[str, tuple[PythonKind, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


class AgentFolder:
    """The classes of one folder, as they are now."""

    def __init__(
        self,
        folder: Path,
        *,
        taken: Collection[str] = (),
        reload: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`taken`: names of kinds that a class may not have; `reload`: look again when a file has changed.

        Nothing is imported yet. Raises BadRequest when there is no such folder.
        """
        if not folder.is_dir():
            raise BadRequest(f"LAB_AGENTS_DIR: {folder} is no folder; make it, or name another")
        self._folder = folder.resolve()
        self._package = f"lab_agents_{hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]}"
        self._taken = tuple(taken)
        self._reload = reload
        self._clock = clock
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None
        self._stamps: Mapping[str, tuple[int, int]] = {}
        self._looked_at = 0.0
        self._kinds: Mapping[str, PythonKind] = MappingProxyType({})

    def kinds(self) -> Mapping[str, PythonKind]:
        """By class name. Reads the folder at the first call and, with `reload`, after a change; else it is at hand."""
        with self._lock:
            if self._loaded is None or (self._reload and self._changed()):
                self._look()
            return self._kinds

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong in the folder, by file."""
        self.kinds()
        with self._lock:
            return self._loaded.faults if self._loaded is not None else ()

    def records(self) -> list[NewAgent]:
        """The agents to be registered: one for each class."""
        return [kind.record() for kind in self.kinds().values()]

    def _changed(self) -> bool:
        """A few stats, at most every LOOK_EVERY_SEC."""
        now = self._clock()
        if abs(now - self._looked_at) < LOOK_EVERY_SEC:
            return False
        self._looked_at = now
        stamps = self._read_stamps()
        written = [stamp[0] / 1e9 for name, stamp in stamps.items() if self._stamps.get(name) != stamp]
        return stamps != self._stamps and all(abs(now - at) >= SETTLED_SEC for at in written)

    def _read_stamps(self) -> Mapping[str, tuple[int, int]]:
        """Of every file, helpers included: when it was written (ns) and its bytes."""
        stamps: dict[str, tuple[int, int]] = {}
        for path in self._folder.glob("*.py"):
            try:
                state = path.stat()
            except OSError:  # gone since the folder was listed
                continue
            if stat.S_ISREG(state.st_mode):
                stamps[path.name] = (state.st_mtime_ns, state.st_size)
        return stamps

    def _look(self) -> None:
        self._stamps, self._looked_at = self._read_stamps(), self._clock()
        before = self._loaded or _Loaded()
        self._loaded = self._load(before)
        self._kinds = MappingProxyType({kind.name: kind for kinds in self._loaded.by_file.values() for kind in kinds})
        for fault in self._loaded.faults:
            log.error("agents: %s", fault)

    def _load(self, before: _Loaded) -> _Loaded:
        """Import all files anew, since one may use another; of a broken one keep what there was before."""
        old = _forget(self._package)
        _make_package(self._package, str(self._folder))
        earlier: list[PythonKind] = []
        by_file: dict[str, tuple[PythonKind, ...]] = {}
        faults: list[Fault] = []
        for name in sorted(name for name in self._stamps if not name.startswith("_")):
            path = self._folder / name
            full = f"{self._package}.{path.stem}"
            try:
                module = importlib.import_module(full)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the operator's own code, run for the first time
                log.debug("agents: %s", path, exc_info=True)
                faults.append(fault_of(error, path))
                if kept := before.by_file.get(name):
                    by_file[name] = kept
                    earlier += kept
                    sys.modules.update({key: module for key, module in old.items() if key == full})
                continue
            found, wrong = _kinds_in(module, path, self._taken, earlier)
            kept = before.by_file.get(name, ()) if wrong else ()
            names = {kind.name for kind in found}
            by_file[name] = (*found, *(kind for kind in kept if kind.name not in names))
            faults += wrong
            earlier += by_file[name]
        return _Loaded(MappingProxyType(by_file), tuple(faults))


def _forget(package: str) -> dict[str, ModuleType]:
    """Take the folder's modules out of those that are imported, so that they are read again; those there were."""
    names = [name for name in list(sys.modules) if name == package or name.startswith(f"{package}.")]
    return {name: sys.modules.pop(name) for name in names}


def _make_package(name: str, folder: str) -> None:
    """An empty package whose modules are the folder's files, read by `_Source`."""
    package = ModuleType(name)
    package.__path__ = [folder]
    sys.modules[name] = package
    sys.path_importer_cache[folder] = FileFinder(
        folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (_Source, SOURCE_SUFFIXES)
    )


class _Source(SourceFileLoader):
    """Reads the text itself, and not compiled leftovers, which know a change by whole seconds; follows no link out."""

    def get_code(self, fullname: str) -> CodeType:
        path = Path(self.path)
        if not path.resolve().is_relative_to(path.parent):
            raise ImportError(f"{path.name} is a link out of {path.parent}, to {path.resolve()}")
        linecache.checkcache(self.path)
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def _kinds_in(
    module: ModuleType, path: Path, taken: Collection[str], earlier: Sequence[PythonKind]
) -> tuple[tuple[PythonKind, ...], list[Fault]]:
    """Classes that the file itself defines; one that begins with `_` is a base for others."""
    kinds: list[PythonKind] = []
    faults: list[Fault] = []
    for value in dict.fromkeys(value for value in vars(module).values() if isinstance(value, type)):
        if not issubclass(value, BaseAgent) or value.__module__ != module.__name__ or value.__name__.startswith("_"):
            continue
        others = [*earlier, *kinds]
        try:
            kind = kind_of_class(value, taken=[*taken, *(other.name for other in others)], source=path.name)
            if kind.agent_id in {other.agent_id for other in others}:
                raise ValueError(f"class {kind.name}: another class is registered as '{kind.agent_id}'; set NAME")
        except ValueError as error:
            faults.append(Fault(str(path), line_of(value), str(error)))
        else:
            kinds.append(kind)
    return tuple(kinds), faults
