"""What langgraph.json says about the process: `env` and `dependencies`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from packaging.requirements import InvalidRequirement, Requirement

from server.application.config import AppConfig


def set_environment(config: AppConfig, environment: MutableMapping[str, str]) -> None:
    """Put the application's variables where nothing is set yet. Raises BadRequest for a file that is not there."""
    for name, value in variables_of(config).items():
        environment.setdefault(name, value)


def variables_of(config: AppConfig) -> Mapping[str, str]:
    """The variables that `env` says, in itself or in its file. Raises BadRequest."""
    if config.document.env_file is None:
        return config.document.env
    file = config.folder / config.document.env_file
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error})"
        raise config.mistake(
            ("env",), f"{file}: {reason}; write NAME=value lines into it, or take the key out"
        ) from None
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}


def folders_of(config: AppConfig) -> list[Path]:
    """Folders for the import path: the file's own, then the local dependencies, each with its `src` where it has one.

    Raises BadRequest for a folder that is not there.
    """
    folders = [config.folder]
    for index, dependency in enumerate(config.document.dependencies):
        if not _is_local(config.folder, dependency):
            continue
        folder = (config.folder / dependency).resolve()
        if not folder.is_dir():
            what = f"there is no folder {folder}; local dependencies are relative to {config.folder}"
            raise config.mistake(("dependencies", index), what)
        folders += [folder, *([folder / "src"] if _has_src(folder) else [])]
    return list(dict.fromkeys(folder.resolve() for folder in folders))


def missing_packages(config: AppConfig) -> Iterator[str]:
    """A line for each named package that is not installed, or not in the version asked for."""
    for index, dependency in enumerate(config.document.dependencies):
        if _is_local(config.folder, dependency):
            continue
        try:
            asked = Requirement(dependency)
        except InvalidRequirement:  # such as git+https://…: its name is not told
            continue
        if asked.marker is not None and not asked.marker.evaluate():
            continue
        try:
            there = version(asked.name)
        except PackageNotFoundError:
            said = f"the package {asked.name} is not installed; run: pip install '{dependency}'"
            yield config.said(("dependencies", index), said)
        else:
            if not asked.specifier.contains(there, prereleases=True):
                said = f"{asked.name} {there} is installed; run: pip install '{dependency}'"
                yield config.said(("dependencies", index), said)


def _is_local(folder: Path, dependency: str) -> bool:
    """A path, as `.`, `./lib` or the name of a folder that is there."""
    path_like = dependency.startswith((".", "/", "~")) or "/" in dependency
    return (path_like and not re.search(r"://|\s@\s", dependency)) or (folder / dependency).is_dir()


def _has_src(folder: Path) -> bool:
    """The src layout: what `pip install -e` would put on the path."""
    return (folder / "src").is_dir() and not (folder / "src" / "__init__.py").exists()
