"""Migrations: once, in order, by one process at a time, and never over a database that is ahead of the code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from server.db.migrate import Migration, migrate, pending, read_migrations
from state.errors import BadRequest, Broken
from tests.integration.processes import hear, python, speak

ONE = Migration(1, "one", b"CREATE TABLE one (n integer); INSERT INTO one VALUES (1);")
TWO = Migration(2, "two", b"INSERT INTO one VALUES (2); SELECT nonsense();")

MIGRATE = """
say("ready")
wait_for_word()
say(len(await migrate(sys.argv[1])))
"""


async def test_two_processes_at_once_migrate_once(empty_database_url: str) -> None:
    with python(MIGRATE, empty_database_url) as first, python(MIGRATE, empty_database_url) as second:
        assert [hear(first), hear(second)] == ["ready", "ready"]
        speak(first)
        speak(second)
        applied = sorted([int(hear(first)), int(hear(second))])
    assert applied == [0, len(read_migrations())]
    with psycopg.connect(empty_database_url) as connection:
        numbers = [row[0] for row in connection.execute("SELECT number FROM lab_migrations ORDER BY number")]
        assert numbers == [migration.number for migration in read_migrations()]
        assert connection.execute("SELECT tenant_id FROM tenants").fetchall() == [("default",)]
        for theirs in ("checkpoints", "checkpoint_writes", "store"):
            connection.execute(f"SELECT * FROM {theirs}".encode())


async def test_pgvector_is_there_when_the_server_ships_it(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT '[1,2]'::vector <-> '[1,4]'").fetchone() == (2.0,)


async def test_a_migration_that_fails_leaves_nothing_and_the_earlier_ones_stay(empty_database_url: str) -> None:
    with pytest.raises(Broken, match=r"0002_two\.sql failed"):
        await migrate(empty_database_url, [ONE, TWO])
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT n FROM one").fetchall() == [(1,)]
        assert connection.execute("SELECT name FROM lab_migrations").fetchall() == [("one",)]
    mended = replace(TWO, sql=b"INSERT INTO one VALUES (2)")
    assert await migrate(empty_database_url, [ONE, mended]) == [mended]
    assert await migrate(empty_database_url, [ONE, mended]) == []


async def test_a_database_newer_than_the_code_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO lab_migrations (number, name, checksum) VALUES (99, 'later', '')")
    with pytest.raises(BadRequest, match=r"has migration 99.*upgrade agent-lab"):
        await migrate(database_url)


def test_a_file_changed_after_it_was_applied_is_told_by_name() -> None:
    with pytest.raises(Broken, match=r"0001_one\.sql was changed"):
        pending([ONE], {1: "other"})


def test_what_is_pending_is_what_was_not_applied() -> None:
    assert pending([ONE, TWO], {}) == [ONE, TWO]
    assert pending([ONE, TWO], {1: ONE.checksum}) == [TWO]


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_one.sql").write_text("SELECT 1")
    (tmp_path / "0003_three.sql").write_text("SELECT 3")
    with pytest.raises(Broken, match=r"\[1, 3\]"):
        read_migrations(tmp_path)
