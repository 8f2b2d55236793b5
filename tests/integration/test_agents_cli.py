"""`lab agents` on a real database, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli.main import app

KEY = "k3y-that-nobody-sees"


def test_agents_are_registered_listed_switched_checked_and_removed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "LAB_DATABASE_URL": database_url, "LAB_DATA_DIR": str(tmp_path / "data"), "LAB_OFFLINE": "true",
        "LAB_ALLOWED_NETWORKS": "127.0.0.0/8",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def lab(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["agents", *words, "--json"])
        assert result.exit_code == code, (words, result.output, result.exception)
        assert KEY not in result.output
        return json.loads(result.output) if result.output else result.exception

    (tmp_path / "key").write_text(KEY)
    # Nobody listens there: port 1 of this machine.
    said = ("--id", "zoe", "--endpoint", "http://127.0.0.1:1/zoe", "--capability", "chat", "--type", "input")
    assert lab("register", *said, "--api-key-file", "key") == [{"agent_id": "zoe", "created": True}]
    assert lab("check", "zoe", code=1)["health"] == "unhealthy"
    (listed,) = lab("list", "--capability", "chat", "--type", "input")
    assert (listed["agent_id"], listed["status"], listed["has_api_key"]) == ("zoe", "offline", True)
    assert lab("disable", "zoe") == {"disabled": "zoe"}
    assert lab("remove", "zoe") == {"removed": "zoe"}
    assert "there is no agent 'zoe'" in str(lab("show", "zoe", code=1))
    assert "switch it off: lab agents disable writer" in str(lab("remove", "writer", code=1))
    # Neither of these opens anything.
    assert "give either a file" in str(lab("register", code=1))
    assert lab("packages")["folder"] == []
