"""`lab eval analyzer`: its table, its JSON, what it shows of errors, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli.eval.group import evaluate
from state.errors import BadRequest

LINES = (
    {"prompt": "What is 3 * 4?", "task": "math", "lang": "en"},
    {"prompt": "Traduce 'casa' al inglés", "task": "translation", "lang": "es"},
    {"prompt": "[bold]5 + 5[/bold", "task": "code"},
    {"prompt": "6 + 6", "task": "code"},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


def run(*words: str) -> str:
    result = CliRunner().invoke(evaluate, ["analyzer", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_json_has_the_figures_the_kinds_and_the_errors(file: Path) -> None:
    told = json.loads(run(str(file), "--json", "--errors", "1"))
    assert told["lines"] == 4
    assert (told["english"], told["spanish"], told["gap"], told["language_accuracy"]) == (1.0, 1.0, 0.0, 1.0)
    assert {row["kind"]: row["lines"] for row in told["kinds"]} == {"code": 2, "math": 1, "translation": 1}
    assert len(told["errors"]) == 1
    assert told["errors"][0]["task"] == "code" != told["errors"][0]["analysis"]["kind"]


def test_the_table_shows_requests_as_they_are_and_only_the_errors_that_are_asked_for(file: Path) -> None:
    table = run(str(file))
    assert "macro-F1" in table
    assert "taken for" in table
    assert "6 + 6" not in table
    assert "code, taken for math 1.00" in run(str(file), "--errors", "9")


@pytest.mark.parametrize(("verb", "more"), [("analyzer", {}), ("validator", {"answer": "", "label": "good"})])
def test_texts_that_no_terminal_should_get_are_shown_in_a_way_that_it_can(
    tmp_path: Path, verb: str, more: dict[str, str]
) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({"prompt": "\x1b[2J \ud800 5 + 5", "task": "code", **more}))
    told = CliRunner().invoke(evaluate, [verb, str(path), "--errors", "1"], catch_exceptions=False)
    assert "␛[2J � 5 + 5" in told.stdout
    as_json = CliRunner().invoke(evaluate, [verb, str(path), "--errors", "1", "--json"], catch_exceptions=False)
    assert json.loads(as_json.stdout)["errors"][0]["prompt"] == "\x1b[2J \ud800 5 + 5"


def test_without_a_file_the_shipped_split_is_measured() -> None:
    told = json.loads(run("--json"))
    assert told["file"].endswith("heldout/prompts.jsonl")
    assert told["lines"] == 360


def test_a_file_that_is_not_right_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt": "x", "task": "poetry"}')
    with pytest.raises(BadRequest, match=r"bad\.jsonl:1: task 'poetry' is unknown; choose one of: code, math"):
        run(str(path))
