"""Processes are killed, stopped, woken and told to stop, Postgres is restarted: no run suffers from it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.acceptance.crashes.cases import CASES, postgres_restarted
from tests.acceptance.crashes.field import open_field
from tests.acceptance.crashes.own_postgres import own_postgres
from tests.acceptance.crashes.two_and_two import two_and_two

RUNS = 6


@pytest.mark.parametrize("name", CASES)
async def test_no_run_suffers_from_what_befalls_its_process(name: str, database_url: str, tmp_path: Path) -> None:
    async with open_field(database_url, tmp_path) as field:
        found = await CASES[name](field, RUNS, Random(name))
    assert found.runs > 0
    assert found.wrong == 0, "\n".join(found.notes)


async def test_no_run_suffers_from_a_restart_of_postgres_nor_changes_its_process(tmp_path: Path) -> None:
    async with own_postgres(tmp_path / "postgres") as (conninfo, restart), open_field(conninfo, tmp_path) as field:
        found = await postgres_restarted(restart)(field, RUNS, Random(1))
    assert found.runs == 2 * RUNS
    assert found.wrong == 0, "\n".join(found.notes)
    assert found.continued == 0


async def test_two_servers_and_two_workers_are_as_one(database_url: str, tmp_path: Path) -> None:
    async with open_field(database_url, tmp_path) as field:
        found = await two_and_two(field, 100, Random(1))
    assert found.runs == 120
    assert found.wrong == 0, "\n".join(found.notes)
