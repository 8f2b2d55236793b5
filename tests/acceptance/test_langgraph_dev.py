"""The official development server serves our langgraph.json."""

import asyncio

import pytest

from tests.acceptance.langgraph_dev import ABSENT, check, find_langgraph, official_server


def test_langgraph_dev_serves_both_graphs() -> None:
    command = find_langgraph()
    if command is None:
        pytest.skip(ABSENT)
    with official_server(command) as address:
        asyncio.run(check(address))
