"""Quantised checkpoints kept on the disk, because quantising takes about 30 times as long as reading the result.

`<directory>/<card's name>/<digest of its key>/` is a model folder with `key.json` in it. It appears whole or not at all
(a temporary folder, renamed), one process at a time works in a card's folder, and only the newest key is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock, Timeout

from llm.check import check_folder, read_json
from llm.loading.base import Order
from llm.sizing import human_bytes, is_quantised
from state.errors import BadRequest

log = logging.getLogger(__name__)

LEAVE_FREE_BYTES = 2**30
"""Of the disk, beside what is saved: the database and everybody else need room, too."""

LOCK_SECONDS = 600.0
"""How long another process may be at work on the same model before this one goes on without the cache."""


class Saveable(Protocol):
    """A transformers model."""

    def save_pretrained(self, save_directory: Path) -> object: ...


@dataclass(frozen=True)
class Entry:
    """The place of one quantised checkpoint, whether it is there or not."""

    home: Path
    """Folder of the card; what else is in it is older."""
    key: dict[str, Any]
    """Everything the result depends on."""

    @cached_property
    def folder(self) -> Path:
        return self.home / hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()[:20]


def entry_of(order: Order, directory: Path) -> Entry:
    """Where the quantised weights of this order belong."""
    card = order.card
    source: object = [card.repo, card.revision] if card.repo else _listing(order.folder)
    versions = {name: version(name) for name in ("bitsandbytes", "transformers")}
    key = {"source": source, "bits": card.bits, "dtype": order.dtype, "device": order.device, **versions}
    return Entry(directory / card.name, key)


def _listing(folder: Path) -> list[list[Any]]:
    """Names, sizes and times of a local folder's files: they change when its weights do, without reading these."""
    files = sorted(file for suffix in ("json", "safetensors") for file in folder.glob(f"*.{suffix}"))
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]


@contextmanager
def locked(entry: Entry) -> Iterator[bool]:
    """Hold a card's folder against other processes; False where that cannot be had, and the cache not be used."""
    lock = None
    try:
        entry.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(entry.home / "lock")
        lock.acquire(timeout=LOCK_SECONDS)
    except (OSError, NotImplementedError, Timeout) as error:
        log.warning("quantised weights are not kept: %s cannot be locked: %s", entry.home, error)
        lock = None
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def find(entry: Entry) -> Path | None:
    """The folder, if a whole and safe checkpoint of this key is there."""
    if not entry.folder.is_dir():
        return None
    try:
        if is_quantised(check_folder(entry.folder)) and read_json(entry.folder / "key.json") == entry.key:
            return entry.folder
        log.warning("%s is not what its name says; quantising again", entry.folder)
    except BadRequest as error:
        log.warning("quantised weights are damaged, quantising again: %s", error)
    return None


def keep(model: Saveable, entry: Entry, size_bytes: int) -> None:
    """Save a model of about `size_bytes` and remove older keys. A failure is a warning: the model itself is loaded."""
    temporary = None
    try:
        free = shutil.disk_usage(entry.home).free
        if not is_room(size_bytes, free):
            log.warning(
                "quantised weights are not kept: %s needed and %s left free, but the disk of %s has %s",
                human_bytes(size_bytes), human_bytes(LEAVE_FREE_BYTES), entry.home, human_bytes(free),
            )  # fmt: skip
            return
        temporary = Path(tempfile.mkdtemp(prefix="new-", dir=entry.home))
        model.save_pretrained(temporary)
        (temporary / "key.json").write_text(json.dumps(entry.key))
        check_folder(temporary)
        _flush(temporary)
        _remove_all_but(entry.home, temporary)
        temporary.rename(entry.folder)
        log.info("quantised weights kept: model=%s bytes=%d", entry.home.name, size_bytes)
    # Saving is somebody else's code from end to end, and whatever it raises must not cost the load that succeeded.
    except Exception as error:
        log.warning("quantised weights of %s are not kept: %s", entry.home.name, " ".join(str(error).split()))
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def is_room(size_bytes: int, free_bytes: int) -> bool:
    """Whether a checkpoint may be saved on a disk with so much free."""
    return size_bytes + LEAVE_FREE_BYTES <= free_bytes


def _flush(folder: Path) -> None:
    """Onto the disk, so that a power cut cannot leave a whole-looking folder of zeros."""
    for file in folder.iterdir():
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _remove_all_but(home: Path, kept: Path) -> None:
    """Older keys, what was damaged, and what a process that died left half written."""
    for path in home.iterdir():
        if path.is_dir() and path != kept:
            # A model that has these files mapped goes on using them.
            shutil.rmtree(path, ignore_errors=True)
