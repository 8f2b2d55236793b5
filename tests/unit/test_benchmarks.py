"""The benchmarks' arithmetic, and that what they import still exists; their figures are no test's business."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmarks.bench_orchestrator import Question
from tests.benchmarks.contestants import decode_rate
from tests.benchmarks.rounds import Mark, in_turn, ratio

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("bench_*.py"))


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_can_be_started(file: Path) -> None:
    module = importlib.import_module(f"tests.benchmarks.{file.stem}")
    assert callable(module.main)


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("17 + 25 = 1042", True),
        ("It is 1,042.", True),
        ("1042.0", True),
        ("It is 42", False),
        ("1.0.4.2", False),
        ("", False),
    ],
)
def test_the_last_number_of_an_answer_is_its_result(said: str, right: bool) -> None:
    assert Question("small_sum", "en", "17 + 25", "17 + 25 = 1042").is_right(said) is right


def test_every_contestant_has_each_round_and_another_one_begins_it() -> None:
    order: list[str] = []

    def contestant(name: str) -> Callable[[int], int]:
        def run(number: int) -> int:
            order.append(name)
            return number

        return run

    results = in_turn({name: contestant(name) for name in "abc"}, 3)
    assert results == {"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 2]}
    assert "".join(order) == "abcbcacab"


def test_a_ratio_is_taken_within_each_round() -> None:
    # The third round fell into a slow minute of the machine, for both.
    assert ratio([2.0, 2.2, 20.0], [1.0, 1.0, 10.0]) == 2.0


@pytest.mark.parametrize(
    ("kind", "value", "reached"),
    [("least", 5.0, True), ("least", 4.9, False), ("most", 5.0, True), ("most", 5.1, False)],
)
def test_a_mark_is_reached_at_its_target(kind: str, value: float, reached: bool) -> None:
    assert Mark("", value, "least" if kind == "least" else "most", 5.0).reached is reached


def test_thedecode_rate_counts_only_while_all_answers_grow() -> None:
    assert decode_rate([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]) == 2.0  # two tokens in the second from 2 to 3


def test_answers_one_after_the_other_have_nodecode_rate() -> None:
    assert decode_rate([[1.0, 2.0], [3.0, 4.0]]) == 0.0
