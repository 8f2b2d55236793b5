"""Requests made up from the whole of /openapi.json, against a live server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fuzzing.campaign import UNASKED, Campaign
from tests.acceptance.processes import Lab, Process
from tests.conftest import TEMPLATE, new_database
from tests.integration.served import AGENTS

EXAMPLES = int(os.environ.get("LAB_FUZZ_EXAMPLES", "2"))
"""Requests of each operation, half of them invalid; `make fuzz` sends more."""


@pytest.fixture
def server(postgres: str, tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "plain.py").write_text(AGENTS)
    with new_database(postgres, TEMPLATE) as database_url:
        settings = {
            "LAB_DATABASE_URL": database_url,
            "LAB_DATA_DIR": str(tmp_path / "data"),
            "LAB_AGENTS_DIR": str(tmp_path / "agents"),
            "LAB_OFFLINE": "true",
            # Where the seeds' agent would listen, so that it can be registered.
            "LAB_ALLOWED_NETWORKS": "127.0.0.0/8",
            "LAB_REQUEST_TIMEOUT": "20",
        }
        with Lab(settings, tmp_path).start("serve", "--port", "0") as process:
            yield process


def test_no_answer_is_an_error_of_the_server_or_other_than_described(server: Process) -> None:
    campaign = Campaign(server.address(), EXAMPLES)
    campaign.run()
    assert campaign.wrong == [], "\n\n".join(campaign.wrong)
    assert set(campaign.refused) <= UNASKED, campaign.refused
    # What goes wrong after an answer has begun is told there alone.
    assert [line for line in server.errors if '"level":"error"' in line] == []
