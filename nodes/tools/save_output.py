"""Saving a text as a file, in the outputs folder and nowhere else."""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from contextlib import suppress
from pathlib import Path

from langchain_core.tools import BaseTool, ToolException, tool

MAX_BYTES = 1_000_000
MAX_NAME_CHARS = 100
MAX_NUMBER = 1_000
"""Files of one name: `report.txt`, `report-2.txt` … are tried up to here."""

_FORBIDDEN = frozenset('/\\:*?"<>|')
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"]
)
"""Names that mean devices on Windows, whatever their suffix."""


def file_name(name: str) -> str:
    """The name as it is used on disk, `.txt` added where there is no suffix. Raises ToolException.

    A name has no folder in it, so nothing can lead out of the outputs folder; it is not hidden, and is a name on
    Windows and macOS too.
    """
    name = unicodedata.normalize("NFC", name[: 2 * MAX_NAME_CHARS]).strip()
    if not name or len(name) > MAX_NAME_CHARS or len(name.encode("utf-8", "replace")) > 2 * MAX_NAME_CHARS:
        raise ToolException(f"give a file name of 1 to {MAX_NAME_CHARS} characters, such as report.txt")
    # Category C: control characters, NUL among them, invisible marks of direction, lone surrogates; Zl, Zp: new lines.
    if any(char in _FORBIDDEN or unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" for char in name):
        raise ToolException("give a plain file name without folders, such as report.txt")
    if name.startswith((".", "~", "-")) or name.endswith("."):
        raise ToolException("a file name starts with a letter or number and does not end in a dot, as report.txt")
    if name.split(".")[0].strip().upper() in _RESERVED:
        raise ToolException(f"'{name}' is a device on some systems; choose another name, such as report.txt")
    return name if "." in name else f"{name}.txt"


def save_text(folder: Path, name: str, content: str) -> str:
    """Write `content` as a new file of `folder` and return its name there; blocks.

    What is there already is never replaced: the name gets a number. A reader sees no half of a file, and the data is on
    the disk before the name is told. Raises ToolException.
    """
    wanted = file_name(name)
    data = content.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        raise ToolException(f"the content has {len(data)} bytes, {MAX_BYTES} are allowed; save it in parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{secrets.token_hex(8)}.part"
        try:
            _write(temporary, data)
            saved = _rename(temporary, folder, wanted)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(folder)
    except OSError as error:
        # The reason without the path: where the folder is concerns its operator only.
        raise ToolException(f"'{wanted}' cannot be saved: {error.strerror or 'the disk refused'}") from error
    return saved.name


def save_output(folder: Path) -> BaseTool:
    """The tool that models see: `save_output(name, content)`."""

    @tool("save_output")
    async def run(name: str, content: str) -> str:
        """Save a text as a file in the outputs folder; the name has no folders in it, such as `report.txt`."""
        return f"saved as {await asyncio.to_thread(save_text, folder, name, content)}"

    return run


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _rename(temporary: Path, folder: Path, name: str) -> Path:
    """Put the finished file where its name is free; the place is kept free by an empty file until then."""
    place = _take_name(folder, name)
    try:
        os.replace(temporary, place)
    except OSError:
        place.unlink(missing_ok=True)
        raise
    return place


def _take_name(folder: Path, name: str) -> Path:
    """An empty file of that name, or of the next number: made exclusively, so a symbolic link is never followed."""
    stem, dot, suffix = name.rpartition(".")
    for number in range(1, MAX_NUMBER + 1):
        path = folder / (name if number == 1 else f"{stem}-{number}{dot}{suffix}")
        with suppress(FileExistsError):
            path.open("xb").close()
            return path
    raise ToolException(f"there are {MAX_NUMBER} files named like '{name}'; choose another name")


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a loss of power; Windows has no way to and needs none."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
