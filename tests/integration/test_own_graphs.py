"""Agent Lab's own graphs as an application: without a file, and through the langgraph.json that other hosts read."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphs.catalog import BUILDERS, DEFINED, RECURSION_LIMIT
from server.application.config import read_config
from server.lab import open_lab
from server.settings import Settings

OWN = Path(__file__).parents[2] / "langgraph.json"


@pytest.mark.parametrize("file", [None, OWN])
async def test_the_lab_s_graphs_run_on_the_lab_s_models(settings: Settings, file: Path | None) -> None:
    config = read_config(file) if file is not None else None
    async with open_lab(settings, config) as lab:
        assert not lab.models.is_loaded("demo", "standard")
        assert set(lab.application.names) == {*BUILDERS, *DEFINED}
        for name in BUILDERS:
            assert lab.application.default_config(name) == {"recursion_limit": RECURSION_LIMIT}
        async with lab.application.graph("direct", access="threads.create_run") as graph:
            given = {"messages": [("user", "2 + 2")]}
            answer = await graph.ainvoke(given, context={"max_tokens": 4})
        assert answer["result"]
        assert lab.models.is_loaded("demo", "standard")
