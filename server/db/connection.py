"""Reaching Postgres: what a URL names, one connection, and psycopg's failures told as ours without the password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row

from server.db.programs import one_line
from state.errors import BadRequest, NoDatabase

CONNECT_SECONDS = 5
IDLE_SECONDS = 15
"""Between two statements of one transaction, the code of a graph whose state is changed by hand among them."""
WHOLE_SECONDS = 10
"""For a transaction of one round trip: the writes of up to 256 callers on a slow disk among them."""
TRANSACTION_TIMEOUT_SINCE = 170000
CUT = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""How psycopg tells that a connection is gone; the last two are no OperationalError."""
CONNECTION_OPTIONS: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
"""What LangGraph's saver and store require of a connection."""


def checked_conninfo(url: str) -> str:
    """A conninfo from LAB_DATABASE_URL, with a bound on connecting. Raises BadRequest, never with the URL in it."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # libpq's own message quotes the URL, password included; so does the exception we leave behind.
        raise BadRequest(
            "LAB_DATABASE_URL is not a Postgres URL; it reads postgresql://user:password@host:5432/database"
        ) from None
    return make_conninfo(url, **{"connect_timeout": CONNECT_SECONDS, "application_name": "agent-lab", **given})


def place(conninfo: str) -> str:
    """`user@host:port/database`, for messages."""
    parts = conninfo_to_dict(conninfo)
    named = {name: str(parts.get(name) or "") for name in ("user", "host", "port", "dbname")}
    at = f"{named['user']}@" if named["user"] else ""
    return f"{at}{named['host'] or 'localhost'}:{named['port'] or 5432}/{named['dbname'] or named['user']}"


async def connect(conninfo: str, kind: type[AsyncConnection[DictRow]] = AsyncConnection) -> AsyncConnection[DictRow]:
    """One connection, as LangGraph requires them. Raises NoDatabase."""
    with told_as_no_database(conninfo):
        connection = await kind.connect(conninfo, **CONNECTION_OPTIONS)
        await bound(connection)
        return connection


async def bound(connection: AsyncConnection[DictRow]) -> None:
    """Let the locks of a process that is stopped in mid-transaction go: others wait for them without a bound."""
    await connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")


async def bound_whole(connection: AsyncConnection[DictRow], *, session: bool = False) -> None:
    """The same for what is sent in one round trip, of this transaction or of all that follow: Postgres takes a pipeline
    that was not sent to its end for active, not for idle. Before Postgres 17 nothing bounds that."""
    if connection.info.server_version >= TRANSACTION_TIMEOUT_SINCE:
        await connection.execute(f"SET {'SESSION' if session else 'LOCAL'} transaction_timeout = '{WHOLE_SECONDS}s'")


@contextmanager
def told_as_no_database(conninfo: str) -> Iterator[None]:
    """Turn "cannot be reached" of psycopg, its pool's timeout included, into NoDatabase."""
    try:
        yield
    except CUT as error:
        reason = one_line(str(error))
        password = conninfo_to_dict(conninfo).get("password")
        if password:
            reason = reason.replace(str(password), "***")
        raise NoDatabase(f"no Postgres at {place(conninfo)}: {reason}; start it or correct LAB_DATABASE_URL") from error
