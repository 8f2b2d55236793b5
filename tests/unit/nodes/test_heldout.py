"""The held-out prompts: whole, balanced, and apart from what the classifier was trained on."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from state.tasks import Kind

NODES = Path(__file__).parents[3] / "nodes"
HELDOUT = NODES / "heldout" / "prompts.jsonl"
CORPUS = NODES / "kinds" / "corpus"
PER_CELL = 15
"""Prompts of each kind in each language."""
RUN = 8
"""Consecutive words that two independent authors do not write alike."""


def read_lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def words(text: str) -> tuple[str, ...]:
    """The text's words without case, accents and punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return tuple(re.findall(r"\w+", plain))


def runs(text: str) -> set[tuple[str, ...]]:
    """Every run of RUN consecutive words."""
    found = words(text)
    return {found[i : i + RUN] for i in range(len(found) - RUN + 1)}


def strings(value: Any) -> Iterator[str]:
    """Every string inside a JSON value, whatever its field is called."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def trained_strings() -> list[str]:
    return [text for path in sorted(CORPUS.glob("*.jsonl")) for line in read_lines(path) for text in strings(line)]


def test_every_line_has_the_four_fields_and_nothing_else():
    for line in read_lines(HELDOUT):
        assert list(line) == ["prompt", "task", "lang", "source"]
        assert all(isinstance(value, str) and value.strip() == value != "" for value in line.values()), line
        assert re.fullmatch(r"ours/heldout/[a-z]+", line["source"]), line


def test_every_kind_has_as_many_prompts_in_english_as_in_spanish():
    cells = Counter((line["task"], line["lang"]) for line in read_lines(HELDOUT))
    assert cells == {(kind, lang): PER_CELL for kind in get_args(Kind) for lang in ("en", "es")}


def test_no_source_writes_for_one_kind_only():
    kinds: dict[str, set[str]] = {}
    for line in read_lines(HELDOUT):
        kinds.setdefault(line["source"], set()).add(line["task"])
    assert len(kinds) == 10
    assert all(len(seen) == len(get_args(Kind)) for seen in kinds.values()), kinds


def test_no_prompt_stands_twice():
    seen = Counter(words(line["prompt"]) or line["prompt"] for line in read_lines(HELDOUT))
    assert [prompt for prompt, times in seen.items() if times > 1] == []


def test_no_two_held_out_prompts_share_a_run_of_words():
    seen = Counter(run for line in read_lines(HELDOUT) for run in runs(line["prompt"]))
    assert [" ".join(run) for run, times in seen.items() if times > 1] == []


def test_a_shared_run_is_found_through_case_accents_and_punctuation():
    ours = "Dime, por favor: ¿CUÁNTAS horas dura el vuelo a Bogotá?"
    assert runs(ours) & runs("oye dime por favor cuantas horas dura el vuelo")
    assert not runs(ours) & runs("oye dime por favor cuantas horas dura un vuelo")


def test_no_held_out_prompt_is_in_the_training_corpus():
    trained = {words(text) for text in trained_strings()}
    assert len(trained) > 100, "the training corpus was not found"
    assert [line["prompt"] for line in read_lines(HELDOUT) if words(line["prompt"]) in trained] == []


def test_no_held_out_prompt_shares_a_run_of_words_with_the_training_corpus():
    trained = {run for text in trained_strings() for run in runs(text)}
    assert trained, "the training corpus was not found"
    shared = [" ".join(run) for line in read_lines(HELDOUT) for run in runs(line["prompt"]) & trained]
    assert shared == []
