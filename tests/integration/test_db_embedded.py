"""The embedded Postgres as several processes share it, and every way in which its directory can be unusable."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from server.db.account import find_account
from server.db.cluster import Cluster
from server.db.embedded import open_embedded
from server.db.programs import BINARIES, run_program
from state.errors import BadRequest, DataDirBusy, LabError, NoDatabase
from tests.integration.processes import hear, python, speak, wait_until

USE = """
async with open_embedded(Path(sys.argv[1])) as conninfo:
    say(conninfo)
    wait_for_word()
say("left")
"""


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster at rest, to copy: initdb takes longest of all."""
    pg_dir = tmp_path_factory.mktemp("made_once") / "postgres"
    asyncio.run(_start_and_stop(pg_dir))
    return pg_dir


async def _start_and_stop(pg_dir: Path) -> None:
    async with open_embedded(pg_dir):
        pass


@pytest.fixture
def pg_dir(made_once: Path, new_dir: Path) -> Path:
    """A cluster of this test's own, made and at rest."""
    new_dir.parent.mkdir()
    subprocess.run(["cp", "-a", made_once, new_dir], check=True)
    return new_dir


@pytest.fixture
def new_dir(tmp_path: Path) -> Iterator[Path]:
    """Where a cluster would be; nothing is there, its parent neither."""
    directory = tmp_path / "data" / "postgres"
    yield directory
    running = Cluster(directory, None).postmaster()
    if running is not None:
        os.kill(running.pid, signal.SIGQUIT)
        pytest.fail(f"the test left Postgres running in {directory}")


def is_running(pg_dir: Path) -> bool:
    return Cluster(pg_dir, None).postmaster() is not None


async def test_it_starts_listens_on_no_tcp_port_and_stops(new_dir: Path) -> None:
    async with open_embedded(new_dir) as conninfo:
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        running = Cluster(new_dir, None).postmaster()
        assert running is not None
        kinds = {connection.family for connection in psutil.Process(running.pid).net_connections("all")}
        assert kinds <= {socket.AF_UNIX}
    assert not is_running(new_dir)


async def test_two_processes_share_one_server_and_the_last_one_out_stops_it(pg_dir: Path) -> None:
    with python(USE, str(pg_dir)) as first, python(USE, str(pg_dir)) as second:
        assert hear(first) == hear(second)
        speak(first)
        assert hear(first) == "left"
        assert is_running(pg_dir)
        speak(second)
        assert hear(second) == "left"
        assert not is_running(pg_dir)


async def test_after_a_kill_the_next_process_attaches_and_stops_the_server(pg_dir: Path) -> None:
    with python(USE, str(pg_dir)) as killed:
        conninfo = hear(killed)
        killed.kill()
        killed.wait()
    assert is_running(pg_dir)
    async with open_embedded(pg_dir) as again:
        assert again == conninfo
    assert not is_running(pg_dir)


async def test_after_postgres_itself_was_killed_the_next_process_starts_it(pg_dir: Path) -> None:
    with python(USE, str(pg_dir)) as other:
        hear(other)
        running = Cluster(pg_dir, None).postmaster()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: not is_running(pg_dir))
        async with open_embedded(pg_dir) as conninfo, await psycopg.AsyncConnection.connect(conninfo) as connection:
            await connection.execute("SELECT 1")
        speak(other)
        assert hear(other) == "left"


async def test_a_pid_that_passed_on_to_another_program_is_forgotten(pg_dir: Path) -> None:
    async with open_embedded(pg_dir):
        left = (pg_dir / "postmaster.pid").read_text().splitlines()
    (pg_dir / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")
    async with open_embedded(pg_dir) as conninfo, await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT 1")


async def test_a_pid_file_emptied_by_a_full_disk_is_forgotten(pg_dir: Path) -> None:
    (pg_dir / "postmaster.pid").write_text("")
    async with open_embedded(pg_dir) as conninfo, await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT 1")


async def test_a_server_that_another_program_started_is_left_alone(pg_dir: Path) -> None:
    account = find_account(pg_dir)
    ids = (None, None) if account is None else (account.uid, account.gid)
    options = f"-h '' -k {pg_dir}"
    command = (BINARIES / "pg_ctl", "start", "-w", "-l", "postgres.log", "-o", options)
    run_program(*command, pgdata=pg_dir, seconds=30, uid=ids[0], gid=ids[1])
    foreign = Cluster(pg_dir, account)
    running = foreign.postmaster()
    assert running is not None
    with pytest.raises(DataDirBusy, match=rf"{running.pid}.*LAB_DATA_DIR"):
        async with open_embedded(pg_dir):
            pass
    assert foreign.postmaster() == running
    run_program(BINARIES / "pg_ctl", "stop", "-m", "fast", pgdata=pg_dir, seconds=30, uid=ids[0], gid=ids[1])


async def test_a_path_that_a_shell_would_read_and_no_socket_could_bear(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a "$HOME", `id`' / ("long" * 30) / "postgres"
    async with open_embedded(odd) as conninfo, await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("SELECT 1")
    assert not is_running(odd)


async def test_a_file_in_place_of_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    await _refused(BadRequest, tmp_path / "data" / "postgres", "data cannot be used")


async def test_a_file_in_place_of_the_cluster(new_dir: Path) -> None:
    new_dir.parent.mkdir()
    new_dir.write_text("")
    await _refused(BadRequest, new_dir, "is a file")


async def test_a_directory_of_something_else(new_dir: Path) -> None:
    new_dir.mkdir(parents=True)
    (new_dir / "thesis.tex").write_text("all of it")
    await _refused(BadRequest, new_dir, "thesis.tex")
    assert [path.name for path in new_dir.iterdir()] == ["thesis.tex"]


async def test_a_cluster_of_another_postgres(new_dir: Path) -> None:
    new_dir.mkdir(parents=True)
    (new_dir / "PG_VERSION").write_text("16\n")
    await _refused(BadRequest, new_dir, "made by Postgres 16")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        await _refused(BadRequest, tmp_path / "data" / "postgres", "cannot be used")
        await _refused(BadRequest, tmp_path / "postgres", "not writable")
    finally:
        tmp_path.chmod(0o700)


async def test_what_a_killed_initdb_left_is_cleared_away(new_dir: Path) -> None:
    aside = new_dir.with_name("postgres.new")
    (aside / "base").mkdir(parents=True)
    async with open_embedded(new_dir):
        pass
    assert not aside.exists()


async def test_a_server_that_cannot_start_says_why_in_one_line(pg_dir: Path) -> None:
    with (pg_dir / "postgresql.conf").open("a") as conf:
        conf.write("\nshared_bufers = 1MB\n")
    await _refused(NoDatabase, pg_dir, "shared_bufers")


async def _refused(error: type[LabError], pg_dir: Path, words: str) -> None:
    with pytest.raises(error, match=words) as told:
        async with open_embedded(pg_dir):
            pass
    message = str(told.value)
    assert "\n" not in message
    assert "LAB_DATA_DIR" in message
