"""The public conformance suite of LangGraph's checkpointers, all of it, against ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.checkpoint.conformance.initializer import RegisteredCheckpointer
from langgraph.checkpoint.conformance.validate import validate

from server.db.pool import Database


async def test_the_saver_passes_every_check_of_every_capability(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        yield database.checkpointer

    report = await validate(RegisteredCheckpointer("GroupedSaver", saver))
    with capsys.disabled():
        report.print_report()
    assert {name: result.failures for name, result in report.results.items() if result.failures} == {}
    assert {name for name, result in report.results.items() if result.passed} == {one.value for one in Capability}
    assert report.conformance_level() == "FULL"
