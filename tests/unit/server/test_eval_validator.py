"""`lab eval validator`: figures as tables and as JSON, on a file and on the shipped split."""

import json
from pathlib import Path

from typer.testing import CliRunner

from server.cli.main import app
from state.errors import BadRequest

LINES = [
    {"prompt": "What is a dog?", "answer": "An animal.", "task": "question_answering", "label": "good", "lang": "en"},
    {"prompt": "What is a dog?", "answer": "A plant.", "task": "question_answering", "label": "refusal", "lang": "en"},
]


def file_of(tmp_path: Path) -> Path:
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    return file


def test_the_tables_show_each_label_and_the_answers_judged_wrongly(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["eval", "validator", str(file_of(tmp_path)), "--errors", "5"])
    assert shown.exit_code == 0, shown.output
    assert "good rejected" in shown.output and "refusal" in shown.output
    assert "answer:  A plant." in shown.output


def test_json_holds_the_same_figures(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["eval", "validator", str(file_of(tmp_path)), "--json"])
    value = json.loads(shown.output)
    assert (value["lines"], value["good_rejected"], value["surface_recall"]) == (2, 0.0, 0.0)
    assert [row["label"] for row in value["labels"]] == ["good", "refusal"] and value["errors"] == []


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["eval", "validator", str(tmp_path / "none.jsonl")])
    assert isinstance(shown.exception, BadRequest) and "none.jsonl" in str(shown.exception)
