"""The validator's figures: what they mean on a few lines, and what they must be on the held-out split."""

import json
from pathlib import Path

import pytest

from nodes.checks.evaluate import (
    FIRST,
    HELD_OUT,
    auc,
    errors,
    judge,
    kind_of,
    label_rows,
    languages,
    measure,
    read_lines,
)
from state.errors import BadRequest

LINES = [
    {"prompt": "What is a dog?", "answer": "An animal.", "task": "question_answering", "label": "good", "lang": "en"},
    {"prompt": "What is a dog?", "answer": "", "task": "question_answering", "label": "empty", "lang": "en"},
    {"prompt": "¿Qué es un gato?", "answer": "Un animal.", "task": "question_answering", "label": "Echo", "lang": "es"},
    {"prompt": "What is a cat?", "answer": "A plant.", "task": "question_answering", "label": "wrong_fact", "lang": "en"},
    {"prompt": "What is a cow?", "answer": "A bird.", "task": "question_answering", "label": "odd", "lang": "en"},
]  # fmt: skip


def written(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return file


def test_good_is_good_and_every_other_label_a_failure(tmp_path: Path) -> None:
    judged = judge(read_lines(written(tmp_path, *LINES)))
    figures = measure(judged)
    assert (figures.lines, figures.good, figures.good_rejected) == (5, 1, 0.0)
    assert (figures.surface_recall, figures.semantic_recall, figures.other_recall) == (0.5, 0.0, 0.0)
    assert [row.label for row in label_rows(judged)] == ["good", "Echo", "empty", "wrong_fact", "odd"]
    assert set(languages(judged)) == {"en", "es"} and languages(judged)["es"].lines == 1
    assert [one.line.label for one in errors(judged)] == ["Echo"]


def test_the_area_under_the_curve_counts_pairs_and_half_of_ties() -> None:
    assert auc([1.0, 0.9], [0.1, 0.2]) == 1.0
    assert auc([0.5], [0.5]) == 0.5
    assert auc([0.2, 0.6], [0.4]) == 0.5
    assert auc([], [0.4]) is None


def test_labels_are_known_by_their_usual_names() -> None:
    assert [kind_of(label) for label in ("good", "Wrong Language", "malformed-json", "off_topic", "?")] == [
        "good",
        "surface",
        "surface",
        "semantic",
        "other",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "answers.jsonl:2: not JSON"),
        ("[1]", "answers.jsonl:2: expected an object"),
        ({"prompt": "a", "answer": 1, "task": "math", "label": "good"}, 'answers.jsonl:2: "answer" must be a string'),
        ({"prompt": "a", "answer": "b", "task": "maths", "label": "good"}, "task 'maths' is unknown"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path: Path, line: object, told: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_lines(written(tmp_path, LINES[0], line))
    assert told in str(refused.value)


def test_no_file_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        read_lines(tmp_path / "none.jsonl")
    with pytest.raises(BadRequest, match="no lines"):
        read_lines(written(tmp_path, ""))


@pytest.mark.no_cover
@pytest.mark.parametrize("split", [HELD_OUT, FIRST], ids=lambda path: path.stem)
def test_surface_failures_are_found_and_good_answers_kept_on_the_held_out_splits(split: Path) -> None:
    figures = measure(judge(read_lines(split)))
    assert figures.surface_recall is not None and figures.surface_recall >= 0.95, figures
    assert figures.good_rejected is not None and figures.good_rejected <= 0.05, figures
