"""Postgres in the data directory, shared by every `lab` process that uses it; the last one out stops it.

Who uses it is kept by the kernel, not in a list of pids: each process holds a shared `flock` on `<cluster>.users`
beside the cluster, so a process killed with SIGKILL is forgotten at once. Starting and stopping happen under an
exclusive lock on `<cluster>.gate`; whoever leaves and can turn its shared lock into an exclusive one is the last.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from server.db.account import find_account
from server.db.cluster import Cluster
from state.errors import BadRequest, DataDirBusy, LabError

START_SECONDS = 60.0
"""initdb and start together: 1 to 2 s on an idle machine; crash recovery may take longer."""
GATE_SECONDS = START_SECONDS + 30.0
"""Whoever holds the gate may be starting Postgres, so waiting for it takes longer than starting."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_embedded(pg_dir: Path) -> AsyncIterator[str]:
    """The conninfo of a running Postgres in `pg_dir`, created and started when needed. It listens on no TCP port.

    Raises BadRequest (the directory cannot be used), DataDirBusy (another program holds it), NoDatabase (no start).
    """
    handle = _Handle(pg_dir)
    try:
        yield await _in_thread(handle.attach)
    finally:
        await _in_thread(handle.release)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread. A cancellation waits for its end first: half a start could not be taken back."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class _Handle:
    """One use of a cluster by this process. Blocking; `release` is safe whether or not `attach` succeeded."""

    def __init__(self, pg_dir: Path) -> None:
        self._pg_dir = pg_dir.expanduser().absolute()
        self._users: int | None = None
        """File descriptor that carries the shared lock."""
        self._cluster: Cluster | None = None

    def attach(self) -> str:
        _make_directory(self._pg_dir.parent)
        with self._gate():
            self._users = self._open("users")
            # Cannot block: exclusive locks on it are taken only under the gate.
            fcntl.flock(self._users, fcntl.LOCK_SH)
            self._cluster = Cluster(self._pg_dir, find_account(self._pg_dir))
            deadline = time.monotonic() + START_SECONDS
            self._cluster.create(deadline)
            return self._cluster.start(deadline).conninfo

    def release(self) -> None:
        if self._users is None:
            return
        try:
            with self._gate():
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._cluster is not None:
                    self._cluster.stop()
        except BlockingIOError:
            _log.debug("Postgres in %s is left to the other processes that use it", self._pg_dir)
        except LabError as error:
            # The work is done and its data is safe; the next last one out will stop it.
            _log.warning("Postgres in %s was left running: %s", self._pg_dir, error)
        finally:
            os.close(self._users)
            self._users = None

    @contextmanager
    def _gate(self) -> Iterator[None]:
        """Alone among the processes that start or stop this cluster. Raises DataDirBusy when that takes too long."""
        descriptor = self._open("gate")
        deadline = time.monotonic() + GATE_SECONDS
        try:
            while not _locked(descriptor):
                if time.monotonic() > deadline:
                    raise DataDirBusy(
                        f"another lab process has been starting or stopping Postgres in {self._pg_dir} for over "
                        f"{GATE_SECONDS:.0f} s; end it, or set LAB_DATA_DIR to another directory"
                    )
                time.sleep(0.02)
            yield
        finally:
            os.close(descriptor)

    def _open(self, kind: str) -> int:
        """A lock file beside the cluster: not inside, since initdb wants an empty directory. Never written to."""
        path = self._pg_dir.with_name(f"{self._pg_dir.name}.{kind}")
        try:
            return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unusable(path.parent, error) from error


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_directory(path: Path) -> None:
    """Create `path` and its parents. Raises BadRequest when it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise BadRequest(f"data directory {path} is not writable; set LAB_DATA_DIR to one that is")


def _unusable(path: Path, error: OSError) -> BadRequest:
    reason = (
        "is a file or lies below one" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
    )
    return BadRequest(f"data directory {path} cannot be used ({reason}); set LAB_DATA_DIR to a directory you can write")
