"""The public JavaScript client, unmodified: one script talks to the server, each thing it found is a check."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).with_name("js")
WORDS = " ".join(f"w{n}" for n in range(100))
MODES = ["metadata", "values", *["updates", "values"] * 3]


@pytest.fixture(scope="module")
def found(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script saw. The client's package is installed into a folder of this run."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("js")
    for name in ("package.json", "talk.mjs"):
        shutil.copy(HERE / name, folder / name)
    # Without a lock file: it would name where packages come from.
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--omit=peer"]
    installed = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=240)
    if installed.returncode:
        pytest.skip(f"npm cannot install the client: {installed.stderr[-300:]}")
    talked = subprocess.run([node, "talk.mjs", address], cwd=folder, capture_output=True, text=True, timeout=240)
    assert talked.returncode == 0, talked.stderr
    seen: dict[str, Any] = json.loads(talked.stdout)
    return seen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("assistant_graph", "steps"),
        ("graph_nodes", ["__start__", "a", "b", "c", "__end__"]),
        (
            "schema_keys",
            ["config_schema", "context_schema", "graph_id", "input_schema", "output_schema", "state_schema"],
        ),
        ("thread_metadata", {"from": "js"}),
        ("thread_search", [True]),
        ("wait", {"trail": ["a", "b", "c"], "note": "js"}),
        ("wait_stateless", {"trail": ["a", "b", "c"], "note": "free"}),
        ("run_statuses", ["success"]),
        ("stream_events", MODES),
        ("stream_last", {"trail": ["a", "b", "c"], "note": "s"}),
        ("run_created", [[True, "string"]]),
        ("stream_stateless", ["metadata"] + ["values"] * 4),
        ("tokens", WORDS),
        ("join_ticks", [0, 1, 2, 3, 4]),
        ("join_again", ["metadata"] + ["custom"] * 5),
        ("join_rest", [2, 3, 4]),
        ("join_values", ["start", "work", "stop"]),
        ("run_status", "success"),
        ("leave", "success"),
        ("leave_resumable", "success"),
        ("leave_continue", "success"),
        ("leave_cancel", "interrupted"),
        ("history_next", [[], ["c"], ["b"], ["a"], ["__start__"]]),
        ("state_values", {"trail": ["a", "b", "c"], "note": "js"}),
        ("state_at", {"trail": ["a"], "note": "js"}),
        ("state_next", ["c"]),
        ("fork", {"trail": ["a", "b", "c"], "note": "js"}),
        ("copy", {"trail": ["a", "b", "c"], "note": "js"}),
        ("question", {"question": "ask?"}),
        ("asked_status", "interrupted"),
        ("asked_interrupts", [{"question": "ask?"}]),
        ("answered", {"trail": ["before", "ask", "after"], "answers": ["js"]}),
        ("stopped_next", ["c"]),
        ("went_on", ["a", "b", "c"]),
        ("busy_status", "busy"),
        ("cancelled", "interrupted"),
        ("deleted", []),
        ("batch", 2),
        ("cron_found", True),
        ("cron_left", False),
        ("item", {"value": 1}),
        ("items", ["key"]),
        ("namespaces", 1),
        ("items_left", []),
        ("thread_deleted", 404),
    ],
)
def test_the_javascript_client_finds(found: dict[str, Any], name: str, value: object) -> None:
    assert found[name] == value


@pytest.mark.parametrize(("name", "status"), [("thread_missing", 404), ("rejected", 409)])
def test_the_javascript_client_is_told(found: dict[str, Any], name: str, status: int) -> None:
    assert found[name]["status"] == status


def test_the_javascript_client_raises_what_the_run_raised(found: dict[str, Any]) -> None:
    assert "boom" in found["wait_error"]["message"]


def test_the_javascript_client_hears_an_error(found: dict[str, Any]) -> None:
    assert found["stream_error"]["event"] == "error"
    assert found["stream_error"]["data"] == {"error": "ValueError", "message": "boom"}
