"""The system user Postgres runs as when we are root, which Postgres refuses to be."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from server.db.programs import BINARIES
from state.errors import BadRequest, NoDatabase

USER = "pgserver"
"""Created by `useradd` when it does not exist; the name is the one the wheel's own class takes."""


@dataclass(frozen=True)
class Account:
    uid: int
    gid: int

    def take(self, path: Path) -> None:
        """Make `path` this user's."""
        os.chown(path, self.uid, self.gid)


def find_account(pg_dir: Path) -> Account | None:
    """None: Postgres runs as ourselves. As root: the owner of `pg_dir`, or `pgserver` for one that is new or root's.

    Raises BadRequest when `pg_dir` belongs to somebody we cannot act for, NoDatabase when `pgserver` cannot be created.
    """
    try:
        owner = pg_dir.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        owner = os.geteuid()
    except PermissionError as error:
        raise BadRequest(f"{pg_dir} cannot be read; set LAB_DATA_DIR to a directory of yours") from error
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise BadRequest(
                f"{pg_dir} belongs to {_name(owner)}; run lab as {_name(owner)} or set LAB_DATA_DIR elsewhere"
            )
        return None
    account = _pgserver() if owner == 0 else Account(owner, _group(owner))
    _let_through(pg_dir.parent)
    _let_through(BINARIES)
    if not (BINARIES / "postgres").stat().st_mode & stat.S_IXOTH:
        raise NoDatabase(
            f"the user Postgres runs as may not run {BINARIES / 'postgres'} (installed under a strict umask); "
            f"chmod -R o+rX {BINARIES.parent}, or run lab as a normal user"
        )
    return account


def _pgserver() -> Account:
    try:
        entry = pwd.getpwnam(USER)
    except KeyError:
        entry = _create_user()
    return Account(entry.pw_uid, entry.pw_gid)


def _create_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", USER]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return pwd.getpwnam(USER)
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        raise NoDatabase(
            f"Postgres does not run as root and the system user {USER!r} cannot be created; "
            "run lab as a normal user or set LAB_DATABASE_URL to a server"
        ) from error


def _let_through(directory: Path) -> None:
    """Let others pass through `directory` and its parents, not list them: /root is closed, Postgres lives below it."""
    for step in (directory, *directory.parents):
        mode = step.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                step.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
            except OSError as error:
                raise BadRequest(
                    f"the user Postgres runs as cannot enter {step} ({error.strerror}); set LAB_DATA_DIR elsewhere"
                ) from error


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid
