"""Opening the database: what goes wrong is told in one line, without the password, and nothing stays open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from server.db.account import find_account
from server.db.cluster import Cluster
from server.db.pool import Database, open_database
from server.settings import Settings
from state.errors import BadRequest, LabError, NoDatabase
from tests.integration.processes import wait_until

SECRET = "hunter2-is-secret"


async def refused(error: type[LabError], url: str, words: str) -> None:
    with pytest.raises(error, match=words) as told:
        async with open_database(Settings(database_url=url)):
            pass
    message = str(told.value)
    assert "\n" not in message
    assert SECRET not in message
    assert SECRET not in repr(told.value.__cause__)
    assert "LAB_DATABASE_URL" in message


async def test_nothing_listens_there() -> None:
    await refused(NoDatabase, f"postgresql://me:{SECRET}@127.0.0.1:1/lab", "no Postgres at me@127.0.0.1:1/lab")


async def test_the_host_has_no_such_name() -> None:
    await refused(NoDatabase, f"postgresql://me:{SECRET}@no-such-host.invalid/lab", "me@no-such-host.invalid:5432/lab")


async def test_the_database_is_not_there(postgres: str) -> None:
    host = conninfo_to_dict(postgres)["host"]
    await refused(NoDatabase, f"host={host} user=postgres dbname=nowhere password={SECRET}", '"nowhere" does not exist')


@pytest.mark.parametrize(
    "url", [f"mysql://me:{SECRET}@h/lab", f"postgresql+psycopg://me:{SECRET}@h/lab", f"x {SECRET}"]
)
async def test_the_url_is_none(url: str) -> None:
    await refused(BadRequest, url, "is not a Postgres URL")


@pytest.fixture
def guarded(postgres: str) -> Iterator[str]:
    """Conninfo of a role that needs its password, on a server of which everybody else is trusted."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        row = connection.execute("SHOW hba_file").fetchone()
        assert row is not None
        hba = Path(row[0])
        before = hba.read_text()
        connection.execute(sql.SQL("CREATE ROLE guarded LOGIN PASSWORD {}").format(sql.Literal("the-right-one")))
        hba.write_text("local all guarded scram-sha-256\n" + before)
        connection.execute("SELECT pg_reload_conf()")
        rules = "SELECT count(*) FROM pg_hba_file_rules WHERE user_name = '{guarded}'"
        wait_until(lambda: connection.execute(rules).fetchone() == (1,))
        try:
            yield f"host={conninfo_to_dict(postgres)['host']} user=guarded dbname=postgres"
        finally:
            hba.write_text(before)
            connection.execute("DROP ROLE guarded")
            connection.execute("SELECT pg_reload_conf()")


async def test_the_password_is_wrong(guarded: str) -> None:
    await refused(NoDatabase, f"{guarded} password={SECRET}", "password authentication failed")


async def test_opening_that_stops_half_way_stops_postgres_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    async with open_database(settings) as database, database.pool.connection() as connection:
        await connection.execute("INSERT INTO lab_migrations (number, name, checksum) VALUES (99, 'later', '')")
    with pytest.raises(BadRequest, match="upgrade agent-lab"):
        async with open_database(settings):
            pass
    assert Cluster(settings.pg_dir, find_account(settings.pg_dir)).postmaster() is None


async def test_connections_cut_by_the_server_are_replaced(database: Database) -> None:
    async with database.pool.connection() as connection:
        with psycopg.connect(database.dsn, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
    async with database.pool.connection() as connection:
        await connection.execute("SELECT 1")


async def test_a_shown_database_shows_no_password(database: Database) -> None:
    assert database.dsn not in repr(database)


async def test_variables_of_libpq_do_not_lead_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere.invalid", "PGUSER": "nobody", "PGDATABASE": "none"}.items():
        monkeypatch.setenv(name, value)
    async with (
        open_database(Settings(data_dir=tmp_path / "data")) as database,
        database.pool.connection() as connection,
    ):
        await connection.execute("SELECT 1")
