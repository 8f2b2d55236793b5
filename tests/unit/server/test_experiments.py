"""Experiments: what they read, who wins, how sure that is, and going on where one was cut."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from server.cli.eval.run import verdict
from server.experiments.compare import Answered, Pair, better, compare, is_right, sign_test, wilson
from server.experiments.inputs import Item, read_configuration, read_items
from server.experiments.run import Experiment, ResultFile
from state.errors import BadRequest, NotFound
from tests.fakes import FakeModels, fake_services, tool_call

A, B = read_configuration("graph=direct"), read_configuration("max_attempts=2")


def pair(a: float, b: float, *, right: tuple[bool, bool] | None = None, index: int = 0) -> Pair:
    sides = [
        Answered(output="x", score=score, right=right[side] if right else None, seconds=1.0, tokens=4)
        for side, score in enumerate((a, b))
    ]
    return Pair(index=index, prompt="p", a=sides[0], b=sides[1])


def test_a_configuration_is_read_from_pairs_and_from_files(tmp_path: Path) -> None:
    read = read_configuration("graph=direct, model=demo,temperature=0.4,tools=[calculator, convert],approve=false")
    assert read.graph == "direct" and read.context.model == "demo" and read.context.temperature == 0.4
    assert read.context.tools == ("calculator", "convert") and read.context.related_runs == 0
    (tmp_path / "c.yaml").write_text("model: demo\nrelated_runs: 2\n")
    from_file = read_configuration(f"{tmp_path}/c.yaml")
    assert from_file.graph == "orchestrator" and from_file.context.related_runs == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("demo", "expected key=value pairs"),
        ("modle=demo", "modle: Extra inputs are not permitted; keys: graph, model"),
        ("temperature=hot", "temperature: Input should be a valid number"),
        ("approve=true", "nobody is there to approve"),
        ("approve_load_over=5", "nobody is there to approve"),
        ("tools=[a", "cannot be read as YAML"),
        ("model=2024-99-99", "cannot be read as YAML"),
        ("nowhere.yaml", "cannot be read"),
    ],
)
def test_a_wrong_configuration_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadRequest, match=told.replace("(", r"\(")):
        read_configuration(text)
    with pytest.raises(NotFound, match="there is no graph 'crew'"):
        read_configuration("graph=crew")


def test_a_data_set_is_read_whole_or_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text('{"prompt": "1+1?", "expected": "2", "id": 7}\n\n{"prompt": "b", "expected": ["x", "y"]}\n')
    assert read_items(file) == [Item(prompt="1+1?", expected=("2",)), Item(prompt="b", expected=("x", "y"))]
    assert len(read_items(file, limit=1)) == 1
    for line, told in [
        ('{"prompt": ""}', "2: prompt: String should have"),
        ("nonsense", "2: not JSON"),
        ('{"prompt": "a", "task": "poetry"}', "2: task: Input should be"),
        ("[1]", "2: expected an object, not list"),
    ]:
        file.write_text('{"prompt": "fine"}\n' + line)
        with pytest.raises(BadRequest, match=told):
            read_items(file)
    file.write_text('\ufeff{"prompt": "a\u2028b", "expected": null}\n', encoding="utf-8")
    assert read_items(file) == [Item(prompt="a\u2028b")]
    file.write_text('{"prompt": "a", "expected": 42}\n')
    with pytest.raises(BadRequest, match=r"1: expected\.0: Input should be a valid string"):
        read_items(file)
    file.write_text("\n")
    with pytest.raises(BadRequest, match="no lines; each is"):
        read_items(file)
    with pytest.raises(BadRequest, match="cannot be read"):
        read_items(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("output", "expected", "exact", "contains"),
    [
        ("42", ("42",), True, True),
        (" «Paris». ", ("paris",), True, True),
        ("17 + 25 = 42", ("42",), False, True),
        ("420", ("42",), False, False),
        ("It is blue", ("red", "blue"), False, True),
        ("anything", (), None, None),
        ("", ("x",), False, False),
        ("", ("?",), False, False),
        ("The answer is 4.5", ("4",), False, False),
        ("The answer is 4.", ("4",), False, True),
        ("It is -42", ("42",), False, False),
        ("3,42", ("42",), False, False),
        ("4, 5 and 6", ("4",), False, True),
        ("50-42 apples", ("42",), False, True),
    ],
)
def test_an_answer_is_right_when_it_is_an_expected_one(output, expected, exact, contains) -> None:
    assert is_right(output, expected, "exact") is exact and is_right(output, expected, "contains") is contains


def test_right_beats_wrong_and_else_the_higher_score_wins() -> None:
    assert better(pair(0.2, 1.0, right=(True, False))) == "a"
    assert better(pair(0.2, 1.0, right=(True, True))) is None
    assert better(pair(0.2, 1.0)) == "b" and better(pair(0.5, 0.5)) is None


def test_the_figures_of_a_comparison() -> None:
    pairs = (
        [pair(0.0, 1.0, right=(False, True)) for _ in range(8)] + [pair(1.0, 0.5, right=(True, False))] + [pair(1, 1)]
    )
    figures = compare(pairs)
    assert (figures.wins_a, figures.wins_b, figures.ties) == (1, 8, 1)
    assert figures.win_rate == pytest.approx(8 / 9) and figures.a.right == pytest.approx(1 / 9)
    low, high = figures.interval
    assert 0.5 < low < 8 / 9 < high < 1.0
    assert figures.p_value == pytest.approx(20 / 512)  # 2 (C(9,0) + C(9,1)) / 2^9
    assert "b wins 88.9 %".replace(" %", "%") in verdict(figures) and "more than chance" in verdict(figures)
    assert verdict(compare([pair(1, 1)])) == "1 items, all ties"


def test_the_interval_narrows_with_more_items_and_stays_in_bounds() -> None:
    assert wilson(0, 5)[0] == 0.0 and wilson(5, 5)[1] == pytest.approx(1.0)
    widths = [wilson(n // 2, n)[1] - wilson(n // 2, n)[0] for n in (10, 100, 1000)]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
    assert sign_test(3, 3) == 1.0 and sign_test(0, 3000) < 1e-300 and sign_test(0, 0) == 1.0


async def test_both_sides_answer_every_item_and_are_judged_alike() -> None:
    items = [Item(prompt="What is 17 + 25?", expected=("42", "17 + 25 = 42")), Item(prompt="What is 2 + 2?")]
    # First item: direct, then the orchestrator with its tool; second: the orchestrator goes first.
    models = FakeModels("41", tool_call("17 + 25"), "17 + 25 = 42", "2 + 2 = 5", "2 + 2 = 4", "4")
    experiment = Experiment(A, B, fake_services(models))
    pairs = [each async for each in experiment.run(items)]
    assert [each.a.right for each in pairs] == [False, None] and pairs[0].b.right
    assert pairs[0].a.reasons == ("wrong_arithmetic",) and pairs[0].a.score < pairs[0].b.score == 1.0
    assert pairs[1].b.output == "2 + 2 = 4" and pairs[1].b.attempts == 2 and pairs[1].a.output == "4"


async def test_an_error_is_a_worthless_answer_and_the_next_item_is_answered() -> None:
    tight = read_configuration("graph=direct,model=nobody")
    experiment = Experiment(tight, A, fake_services(FakeModels("fine", "good")))
    pairs = [each async for each in experiment.run([Item(prompt="a", expected=("fine",)), Item(prompt="b")])]
    assert [each.b.output for each in pairs] == ["fine", "good"]
    assert pairs[0].a.right is False and pairs[0].a.error and pairs[0].a.error.startswith("NotFound: there is no model")


async def test_an_experiment_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    data, file = tmp_path / "d.jsonl", tmp_path / "out" / "results.jsonl"
    kept = ResultFile(file, A, B, data, "exact")
    items = [Item(prompt="p") for _ in range(3)]
    assert kept.read(items) == []
    for index in range(2):
        kept.append(pair(1, 0, index=index))
    with file.open("ab") as half:
        half.write('{"index": 2, "prompt": "ñ'.encode()[:-1])  # killed in mid-write
    again = ResultFile(file, A, B, data, "exact").read(items)
    assert [each.index for each in again] == [0, 1]
    assert len(file.read_text().splitlines()) == 3
    models = FakeModels("for a", "for b")
    left = [each async for each in Experiment(A, B, fake_services(models)).run(items, again)]
    assert [each.index for each in left] == [2]


def test_the_results_of_another_experiment_are_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    ResultFile(file, A, B, tmp_path / "d", "exact").append(pair(1, 0))
    with pytest.raises(BadRequest, match="another experiment"):
        ResultFile(file, B, A, tmp_path / "d", "exact").read([])
    file.write_text(json.dumps({"no": "results"}) + "\n{}\n{}")
    with pytest.raises(BadRequest, match="not the results"):
        ResultFile(file, A, B, tmp_path / "d", "exact").read([])


def test_results_of_a_data_set_that_has_changed_are_not_mixed_in(tmp_path: Path) -> None:
    kept = ResultFile(tmp_path / "results.jsonl", A, B, tmp_path / "d", "exact")
    kept.append(pair(1, 0))
    assert len(kept.read([Item(prompt="p")])) == 1
    with pytest.raises(BadRequest, match="item 1 of the data set has changed"):
        kept.read([Item(prompt="another")])


@pytest.mark.parametrize("output", ["a\u2028b\x85c", "\ud800", "ñ\n\x00"])
def test_any_answer_is_kept_and_read_again(tmp_path: Path, output: str) -> None:
    kept = ResultFile(tmp_path / "results.jsonl", A, B, tmp_path / "d", "exact")
    odd = Pair(index=0, prompt="p", a=Answered(output=output, score=1.0, right=None), b=pair(1, 0).b)
    kept.append(odd)
    assert kept.read([Item(prompt="p")]) == [odd]


def test_results_that_cannot_be_written_or_read_are_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadRequest, match="cannot be written"):
        ResultFile(tmp_path / "file" / "results.jsonl", A, B, tmp_path, "exact").append(pair(1, 0))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").touch()
    with pytest.raises(BadRequest, match="cannot be read"):
        ResultFile(tmp_path / "folder", A, B, tmp_path, "exact").read([])
    assert ResultFile(tmp_path / "file", A, B, tmp_path, "exact").read([]) == []
