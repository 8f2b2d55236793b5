"""A Postgres that a test may restart."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from server.db.account import find_account
from server.db.embedded import open_embedded
from server.db.migrate import migrate
from server.db.programs import BINARIES, run_program

Mode = Literal["fast", "immediate"]
Restart = Callable[[Mode, float], Awaitable[None]]
"""`fast` cuts its clients off, `immediate` is as a crash of it; then it is away for some seconds."""


@asynccontextmanager
async def own_postgres(folder: Path) -> AsyncIterator[tuple[str, Restart]]:
    """Conninfo, migrated, and what restarts it."""
    async with open_embedded(folder) as conninfo:
        await migrate(conninfo)
        account = find_account(folder)

        async def control(*arguments: str) -> None:
            await asyncio.to_thread(
                run_program,
                BINARIES / "pg_ctl",
                *arguments,
                *("-w", "-t", "30"),
                pgdata=folder,
                uid=None if account is None else account.uid,
                gid=None if account is None else account.gid,
                seconds=40.0,
            )

        async def restart(mode: Mode, away_sec: float) -> None:
            # As it was started: sockets and all.
            _, *options = shlex.split((folder / "postmaster.opts").read_text())
            await control("stop", "-m", mode)
            await asyncio.sleep(away_sec)
            await control("start", "-l", "postgres.log", "-o", shlex.join(options))

        yield conninfo, restart
