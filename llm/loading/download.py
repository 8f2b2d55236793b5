"""One model from a hub into the cache: what is missing of each file, checked by hash, then shown as a snapshot.

Parts of files stay when a download ends early, by an error, by its caller or with its process, and the next one asks
for the rest. A snapshot appears only when all of its files are whole. Imports huggingface_hub through `hub`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from llm.check import check_settings, read_json
from llm.loading.base import Progress
from llm.loading.files import lock_file, repository_folder, snapshot_folder
from llm.loading.hub import Hub, HubFile
from llm.loading.hub_errors import explain, is_passing
from llm.sizing import human_bytes
from state.errors import BadRequest, Unavailable
from state.models import ModelCard

TRIES = 4
"""Attempts in a row that bring no byte before a download gives up."""


class Download:
    """The files of one card. `retry_wait`: seconds before a second try in a row, doubled before each further one."""

    def __init__(
        self, card: ModelCard, hub: Hub, progress: Progress, *, cache_dir: Path | None = None, retry_wait: float = 1.0
    ) -> None:
        self._card = card
        self._hub = hub
        self._progress = progress
        self._retry_wait = retry_wait
        self._home = repository_folder(card, cache_dir)
        self._snapshot = snapshot_folder(card, cache_dir)
        self._lock = lock_file(card, cache_dir)
        self._files: list[HubFile] = []
        self._callers_error: BaseException | None = None

    def run(self, *, mend: bool = False) -> None:
        """Fetch what is missing. `mend`: read what is here, too, and replace what is damaged.

        Raises the errors of `Loader.fetch`.
        """
        try:
            self._files = self._hub.list_files(self._card)
            if not any(file.name.endswith(".safetensors") for file in self._files):
                raise BadRequest(
                    f"{self._card.name}: {self._card.repo} has no safetensors weights at {self._card.revision}; "
                    "weights in no other format are loaded"
                )
            (self._home / "blobs").mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._discard_damaged(mend=mend)
                self._check_room()
                for file in self._files:  # settings come before weights, so that an unsafe model costs little
                    if not self._blob(file).exists():
                        self._fetch(file)
                    if file.name.endswith(".json"):
                        check_settings(self._snapshot / file.name, read_json(self._blob(file)))
                self._show()
        except (httpx.HTTPError, OSError, ValueError) as error:
            if error is self._callers_error:
                raise
            raise explain(error, self._card, self._hub.url, arrived=self._arrived()) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait for another process that fetches the same model, telling how far it is."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=1.0)
            except Timeout:
                self._tell(self._done())
        try:
            yield
        finally:
            lock.release()

    def _blob(self, file: HubFile) -> Path:
        return self._home / "blobs" / file.digest

    def _part(self, file: HubFile) -> Path:
        return self._home / "blobs" / f"{file.digest}.incomplete"

    def _discard_damaged(self, *, mend: bool) -> None:
        for file in self._files:
            self._tell(self._done())
            blob, part = self._blob(file), self._part(file)
            if blob.exists() and not (file.is_content(blob) if mend else blob.stat().st_size == file.size):
                blob.unlink()
            if part.exists() and part.stat().st_size > file.size:
                part.unlink()

    def _check_room(self) -> None:
        missing = self._total() - self._done()
        free = shutil.disk_usage(self._home).free
        if missing > free:
            raise Unavailable(
                f"{self._card.name}: {human_bytes(missing)} are still to be fetched, and {self._home.parent} has "
                f"{human_bytes(free)} free; free some space, or set HF_HOME to a folder on a larger disk"
            )

    def _fetch(self, file: HubFile) -> None:
        part, before, quiet = self._part(file), self._done(file), 0
        part.touch()
        while (have := part.stat().st_size) < file.size:
            failure = self._receive(file, part, have, before)
            quiet = 0 if part.stat().st_size > have else quiet + 1
            if quiet == TRIES:
                raise failure or httpx.RemoteProtocolError(f"{file.name} ends after {have:,} of {file.size:,} bytes")
            if failure is not None:
                time.sleep(self._retry_wait * 2 ** max(quiet - 1, 0))
        if not file.is_content(part):
            part.unlink()
            raise Unavailable(
                f"{self._card.name}: {file.name} ({human_bytes(file.size)}) arrived damaged from {self._hub.url}: its "
                "content is not what the commit lists; it was deleted, try again"
            )
        part.replace(self._blob(file))

    def _receive(self, file: HubFile, part: Path, have: int, before: int) -> Exception | None:
        """Append what one request brings. Returns an error after which another request may bring more."""
        try:
            # A hub that cannot begin in the middle sends the whole file.
            with (
                self._hub.open_file(self._card, file, have) as response,
                part.open("ab" if response.status_code == httpx.codes.PARTIAL_CONTENT else "wb") as out,
            ):
                for chunk in response.iter_bytes():
                    out.write(chunk)
                    self._tell(before + min(out.tell(), file.size))
                    if out.tell() > file.size:
                        break
        except httpx.HTTPError as error:
            if error is self._callers_error or not is_passing(error):
                raise
            return error
        return None

    def _show(self) -> None:
        """Make the snapshot. Weights come last, as listed: without them a folder is not taken for a model."""
        self._snapshot.mkdir(parents=True, exist_ok=True)
        for file in self._files:
            point_to(self._snapshot / file.name, self._blob(file))

    def _tell(self, done: int) -> None:
        try:
            self._progress(done, self._total())
        except BaseException as error:
            self._callers_error = error  # it is the caller's own, whatever its class
            raise

    def _total(self) -> int:
        return sum(file.size for file in self._files)

    def _done(self, without: HubFile | None = None) -> int:
        """Bytes on the disk, by whomever; `without` those of one file."""
        return sum(self._bytes_of(file) for file in self._files if file is not without)

    def _bytes_of(self, file: HubFile) -> int:
        if self._blob(file).exists():
            return file.size
        part = self._part(file)
        return min(part.stat().st_size, file.size) if part.exists() else 0

    def _arrived(self) -> str:
        return f"{human_bytes(self._done())} of {human_bytes(self._total())}" if self._files else "nothing"


def point_to(pointer: Path, blob: Path) -> None:
    """Make `pointer` stand for `blob`, replacing what was there."""
    new = pointer.with_name(f".{pointer.name}.new")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:  # Windows lets few users make symbolic links
        os.link(blob, new)
    new.replace(pointer)
