"""What the classifier sees of a request, that it says the same each time, and its figures on the held-out split."""

import json
from pathlib import Path

import pytest

from nodes.kinds import train
from nodes.kinds.classifier import KINDS, rank_kinds
from nodes.kinds.cues import concepts
from nodes.kinds.evaluate import HELD_OUT, analyse_all, kind_rows, measure, read_lines
from nodes.kinds.features import BUCKETS, features, hashed
from nodes.kinds.generate import Example, generate
from nodes.kinds.parts import INSTRUCTION_WORDS, take_apart
from nodes.kinds.rules import certain_kind
from state.errors import BadRequest

STORY = "The old boat lay on the sand all winter. Nobody painted it. In spring a boy came and sat in it every day. "


@pytest.mark.parametrize(
    ("prompt", "instruction", "place"),
    [
        ("Summarise this:\n\n" + STORY * 2, "summarise this", "head"),
        (STORY * 2 + "\n\nWho sat in the boat?", "who sat in the boat ?", "tail"),
        (
            STORY + "\nTranslate it into French.\n" + STORY,
            "translate it into french",
            "middle",
        ),
        ("Fix my car", "fix my car", "whole"),
    ],
)
def test_the_instruction_is_found_wherever_it_stands(prompt: str, instruction: str, place: str) -> None:
    parts = take_apart(prompt)
    assert (" ".join(parts.instruction), parts.place) == (instruction, place)


def test_quotes_and_fences_are_material() -> None:
    parts = take_apart('Explain "a word" and ```def f(): pass``` in the next words, please')
    assert parts.quotes == (2,)
    assert parts.fenced
    assert "def" not in parts.text
    assert "word" not in parts.instruction


def test_a_long_instruction_is_cut() -> None:
    assert len(take_apart("write " + "a poem of rain " * 500).instruction) == INSTRUCTION_WORDS


@pytest.mark.parametrize(
    ("word", "concept"),
    [("translate", "translate!"), ("traduceme", "translate!"), ("resumen", "summarize!"), ("haiku", "poetry")],
)
def test_words_of_both_languages_show_one_concept(word: str, concept: str) -> None:
    assert concept in concepts(word)


def test_features_tell_the_instruction_from_its_material() -> None:
    found = features("Summarise this:\n\n" + STORY * 2)
    assert found["c1:summarize!"] > found["m:boat"] > 0
    assert "i:boat" not in found


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("2 + 2", "mark:sum"),
        ("Is it red?", "mark:ends?"),
        ("Pick one\n- red\n- blue", "mark:options"),
        ("Which? (A) red (B) blue", "mark:inline options"),
        ("Great food.\nSentiment:", "mark:ends:"),
        ("Ann: hi\nBob: hello", "mark:speakers"),
        ("hmpf grrrrr", "mark:vowelless"),
    ],
)
def test_the_form_of_a_request_is_seen(prompt: str, seen: str) -> None:
    assert seen in features(prompt)
    assert seen not in features("Tell me about Peru and its rivers")


def test_features_are_hashed_into_the_buckets_that_the_weights_have() -> None:
    buckets, values = hashed(features("Write a poem"))
    assert len(buckets) == len(values) > 10
    assert all(0 <= bucket < BUCKETS for bucket in buckets)
    assert hashed({"c:write!": 1.0})[0] == [64322], "a hash that differs by process or machine would break the weights"


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("3 * (4 + 5)", "math"),
        ("12,5 / 4 = ?", "math"),
        ("", "other"),
        ("¿?", "other"),
        ("2024-05-01", "other"),
        ("17", "other"),
        ("what is 3 * 4", None),
        ("hello", None),
    ],
)
def test_rules_settle_only_what_is_certain(prompt: str, kind: str | None) -> None:
    assert certain_kind(prompt) == kind


def test_all_kinds_are_ranked_and_their_probabilities_sum_to_one() -> None:
    for prompt in ("Write a poem about rain", "3 * 4", "", "\ud800"):
        ranked = rank_kinds(prompt)
        assert sorted(one.kind for one in ranked) == sorted(KINDS)
        assert sum(one.probability for one in ranked) == pytest.approx(1.0, abs=1e-4)
        assert ranked == rank_kinds(prompt)
        assert [one.probability for one in ranked] == sorted((one.probability for one in ranked), reverse=True)


def test_the_held_out_split_is_analysed_as_well_as_promised() -> None:
    figures = measure(analyse_all(read_lines(HELD_OUT)))
    assert figures.accuracy >= 0.80
    assert figures.macro_f1 >= 0.80
    assert figures.gap is not None
    assert figures.gap <= 0.03
    assert figures.language_accuracy is not None
    assert figures.language_accuracy >= 0.95
    assert abs(figures.mean_confidence - figures.accuracy) <= 0.05, "confidence tells accuracy"


def test_figures_are_counted_by_hand(tmp_path: Path) -> None:
    rows = [
        {"prompt": "3 * 4", "task": "math", "lang": "en"},
        {"prompt": "5 + 5", "task": "code", "lang": "es"},
        {"prompt": "???", "task": "other"},
    ]
    path = write_lines(tmp_path, *map(json.dumps, rows))
    analysed = analyse_all(read_lines(path))
    figures = measure(analysed)
    assert (figures.lines, figures.english, figures.spanish, figures.gap) == (3, 1.0, 0.0, 1.0)
    assert figures.accuracy == pytest.approx(2 / 3)
    assert figures.macro_f1 == pytest.approx((0.0 + 2 / 3 + 1.0) / 3)
    assert [(row.kind, row.recall, row.taken_for) for row in kind_rows(analysed)] == [
        ("code", 0.0, "math 1"),
        ("math", 1.0, ""),
        ("other", 1.0, ""),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "2: not JSON"),
        ("[1]", "2: expected an object"),
        ('{"prompt": "x"}', "2: expected an object"),
        ('{"prompt": "x", "task": "poetry"}', "2: task 'poetry' is unknown"),
        ('{"prompt": "x", "task": "math", "lang": 3}', '2: "lang" must be'),
        ("[" * 100_000, "2: not JSON"),
    ],
)
def test_bad_lines_are_refused_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = write_lines(tmp_path, '{"prompt": "x", "task": "math"}', line)
    with pytest.raises(BadRequest) as refused:
        read_lines(path)
    assert f"{path}:{message}" in str(refused.value)


def test_a_file_may_begin_with_the_mark_of_windows_editors(tmp_path: Path) -> None:
    (tmp_path / "marked.jsonl").write_text('{"prompt": "x", "task": "math"}', encoding="utf-8-sig")
    assert [line.prompt for line in read_lines(tmp_path / "marked.jsonl")] == ["x"]


def test_a_file_without_lines_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no lines"):
        read_lines(write_lines(tmp_path, "", " "))
    with pytest.raises(BadRequest, match="cannot be read"):
        read_lines(tmp_path / "nothing.jsonl")


def test_training_requests_are_made_the_same_way_each_time_and_none_is_held_out() -> None:
    made = generate()
    assert made == generate()
    assert {one.task for one in made} == set(KINDS)
    assert not any("{" in one.prompt and "}" in one.prompt and "{ask}" in one.prompt for one in made)
    held_out = {plain(line.prompt) for line in read_lines(HELD_OUT)}
    assert not held_out & {plain(one.prompt) for one in made}


def test_folds_keep_a_source_and_a_template_together() -> None:
    def example(prompt: str, source: str) -> Example:
        return Example(prompt, "math", "en", source)

    same = [
        (example("a", "set.json#1"), example("b", "set.json#2")),
        (example("Give the gist: x", "text: news#1; template"), example("Give the gist: y", "text: blog#2; template")),
        (example("x\n\nIn short:", "text: news#1"), example("y\n\nIn short:", "text: news#2")),
        (example("x", "text: a#1; library file id 7"), example("y", "text: b#2; library file id 7")),
    ]
    sources = [[train.source_of(one) for one in pair] for pair in same]
    assert all(one == other for one, other in sources)
    assert len({one for one, _ in sources}) == len(same)


def write_lines(folder: Path, *lines: str) -> Path:
    path = folder / "lines.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def plain(text: str) -> str:
    return " ".join("".join(char if char.isalnum() else " " for char in text.lower()).split())
