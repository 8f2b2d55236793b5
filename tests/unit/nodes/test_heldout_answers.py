"""The held-out answers that measure the validator: well-formed, known labels, both languages, nothing twice."""

import json
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

import nodes
from state.tasks import Kind

FOLDER = Path(nodes.__file__).parent / "heldout"
NOTHING_FOUND = ("[]",)
"""A good extraction of what is not there."""
LEAST = {"answers.jsonl": (160, 10, 6), "answers_first.jsonl": (250, 10, 10)}
"""Answers that are good, of each surface fault, and of each semantic one."""
FIELDS = {"prompt", "answer", "task", "label", "lang", "source"}
SURFACE = frozenset(
    {
        "broken_constraint",
        "echo",
        "empty",
        "gibberish",
        "long_summary",
        "malformed_code",
        "malformed_json",
        "missing_keys",
        "no_code",
        "refusal",
        "repetition",
        "template_leak",
        "truncated",
        "unfinished_list",
        "untranslated",
        "wrong_arithmetic",
        "wrong_language",
    }
)
SEMANTIC = frozenset(
    {
        "bad_extraction",
        "bad_summary",
        "off_topic",
        "wrong_answer",
        "wrong_fact",
        "wrong_label",
        "wrong_translation",
    }
)

Row = dict[str, str]


def read(name: str) -> list[Row]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").split("\n") if line]


@pytest.fixture(scope="module", params=list(LEAST))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rows(name: str) -> list[Row]:
    return read(name)


def test_every_line_has_the_six_fields_as_text(rows: list[Row]) -> None:
    for row in rows:
        assert set(row) == FIELDS
        assert all(isinstance(value, str) for value in row.values())
        assert row["prompt"].strip()


def test_kinds_languages_and_sources_are_known(rows: list[Row]) -> None:
    assert {row["task"] for row in rows} == set(get_args(Kind))
    assert {row["lang"] for row in rows} == {"en", "es"}
    assert all(row["source"].startswith(("ours/heldout/", "ours/second/")) for row in rows)


def test_every_label_is_known_and_none_is_missing(rows: list[Row]) -> None:
    assert {row["label"] for row in rows} == {"good"} | SURFACE | SEMANTIC


def test_each_fault_has_enough_answers_to_measure(rows: list[Row], name: str) -> None:
    counts = Counter(row["label"] for row in rows)
    good, surface, semantic = LEAST[name]
    assert counts["good"] >= good
    assert all(counts[label] >= surface for label in SURFACE)
    assert all(counts[label] >= semantic for label in SEMANTIC)


def test_the_two_splits_share_no_prompt_and_no_source() -> None:
    first, second = (read(name) for name in LEAST)
    for field in ("prompt", "source"):
        assert not {row[field] for row in first} & {row[field] for row in second}


@pytest.mark.parametrize("good", [True, False])
def test_neither_language_has_more_than_55_percent(rows: list[Row], good: bool) -> None:
    spanish = [row["lang"] == "es" for row in rows if (row["label"] == "good") == good]
    assert 0.45 <= sum(spanish) / len(spanish) <= 0.55


def test_no_answer_stands_twice_under_one_prompt(rows: list[Row]) -> None:
    twice = [pair for pair, n in Counter((row["prompt"], row["answer"]) for row in rows).items() if n > 1]
    assert not twice


def test_a_prompt_has_one_source_one_kind_and_one_language(rows: list[Row]) -> None:
    origins = {(row["prompt"], row["source"], row["task"], row["lang"]) for row in rows}
    assert len(origins) == len({row["prompt"] for row in rows})


def test_only_the_empty_answers_say_nothing(rows: list[Row]) -> None:
    silent = [row for row in rows if not any(sign.isalnum() for sign in row["answer"])]
    assert silent and {row["label"] for row in silent if row["answer"] not in NOTHING_FOUND} == {"empty"}
