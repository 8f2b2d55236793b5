"""Which server the acceptance files talk to: ours, or with LAB_REFERENCE (a `langgraph` command) the reference."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_client, get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.acceptance.protocol.servers import Kind, serving
from tests.acceptance.protocol.talking import Talk, talking
from tests.conftest import TEMPLATE, new_database

_REFERENCE = os.environ.get("LAB_REFERENCE")
_ADDRESS = os.environ.get("LAB_ACCEPTANCE_ADDRESS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tested is another process: tracing the clients in this one would cost as much as all they ask for."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def kind() -> Kind:
    return "reference" if _REFERENCE else "ours"


@pytest.fixture(scope="session")
def address(request: pytest.FixtureRequest, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of one server for the whole session: tests share it, so they look only at what they made themselves.

    LAB_ACCEPTANCE_ADDRESS names one that runs already (with LAB_REFERENCE set where that is the reference).
    """
    folder: Path = tmp_path_factory.mktemp("serving")
    if _ADDRESS:
        yield _ADDRESS
    elif kind == "reference":
        with serving(kind, folder) as started:
            yield started
    else:
        postgres: str = request.getfixturevalue("postgres")
        with new_database(postgres, TEMPLATE) as url, serving(kind, folder, database_url=url) as started:
            yield started


@pytest.fixture(autouse=True)
def _only_where_it_holds(request: pytest.FixtureRequest, kind: Kind) -> None:
    marker = request.node.get_closest_marker("ours_only")
    if marker is not None and kind == "reference":
        pytest.skip(f"not so on the reference: {marker.args[0]}")


@pytest.fixture
async def client(address: str) -> AsyncIterator[LangGraphClient]:
    opened = get_client(url=address)
    yield opened
    await opened.aclose()


@pytest.fixture
def sync_client(address: str) -> Iterator[SyncLangGraphClient]:
    opened = get_sync_client(url=address)
    yield opened
    opened.close()


@pytest.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """For what the SDK does not show: headers, error bodies, raw frames."""
    async with httpx.AsyncClient(base_url=address, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="session")
def talk(address: str) -> Iterator[Talk]:
    """Raw requests about runs, without an event loop."""
    with talking(address) as opened:
        yield opened
