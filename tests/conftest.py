"""One real Postgres for the whole session, a migrated template in it, a clone of that for each test; no environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

# Which server the acceptance tests talk to, told by whoever starts them.
_TOLD = ("LAB_REFERENCE", "LAB_ACCEPTANCE_ADDRESS")

# Read when huggingface_hub and langgraph are imported, so before anything else of ours.
for _name in [
    name for name in os.environ if name.startswith(("LAB_", "HF_", "HUGGING_FACE_", "LANGSMITH_", "LANGCHAIN_"))
]:
    if _name not in _TOLD:
        del os.environ[_name]
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    # Each client of httpx reads all authorities of the web when it is made, 30 ms of CPU; tests call none of them.
    "SSL_CERT_FILE": str(Path(__file__).with_name("authority.pem")),
}

from server.db.embedded import open_embedded  # noqa: E402
from server.db.migrate import migrate  # noqa: E402
from server.db.pool import Database, open_database  # noqa: E402
from server.db.runs import Runs  # noqa: E402
from server.db.worker import Worker, open_worker  # noqa: E402
from server.settings import Settings  # noqa: E402

TEMPLATE = "lab_template"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """As root, keep temporary directories out of /tmp/pytest-of-root: each new pytest closes that to others again.

    Postgres does not run as root, so its user would suddenly find its data directory out of reach.
    """
    if os.geteuid() == 0 and not config.option.basetemp:
        base = tempfile.mkdtemp(prefix="lab-tests-")
        config.option.basetemp = base
        config.add_cleanup(lambda: shutil.rmtree(base, ignore_errors=True))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer has exported or written into `.env` must not decide a test."""
    for name in [
        name for name in os.environ if name.startswith(("LAB_", "HF_")) and name not in (*_TOLD, "HF_HUB_OFFLINE")
    ]:
        monkeypatch.delenv(name)
    seeds = ("MAX_VRAM_USAGE", "DEFAULT_STRATEGY", "REQUEST_TIMEOUT", "LOG_LEVEL")
    for name in (*seeds, "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Conninfo of the session's server, database `postgres`. Its template is migrated once."""
    with asyncio.Runner() as runner:
        server = open_embedded(tmp_path_factory.mktemp("server") / "postgres")
        conninfo = runner.run(server.__aenter__())
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                # Tests lose nothing when the machine does; clones and commits take a fraction of the time.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
            runner.run(_migrate(make_conninfo(conninfo, dbname=TEMPLATE)))
            yield conninfo
        finally:
            runner.run(server.__aexit__(None, None, None))


async def _migrate(conninfo: str) -> None:
    await migrate(conninfo)


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """Conninfo of a database that was never migrated."""
    with new_database(postgres, "template1") as conninfo:
        yield conninfo


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """Conninfo of this test's own database, migrated: for LAB_DATABASE_URL."""
    with new_database(postgres, TEMPLATE) as conninfo:
        yield conninfo


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings on this test's database and data directory."""
    return Settings(data_dir=tmp_path / "data", database_url=database_url, offline=True)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    async with open_database(settings) as opened:
        yield opened


@pytest.fixture
async def worker(database: Database) -> AsyncIterator[Worker]:
    async with open_worker(database.dsn) as opened:
        yield opened


@pytest.fixture
def runs(database: Database, worker: Worker) -> Runs:
    return Runs(database.pool, worker)


@contextmanager
def new_database(postgres: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        try:
            yield make_conninfo(postgres, dbname=name)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
