"""Who joins, how much a step computes, what rows are kept in."""

import random

import pytest

from llm.engine.prefix import common_length
from llm.engine.slots import Waiting, length_class, next_to_join, rows_to_hold, share_step


@pytest.mark.parametrize(
    ("waiting", "running", "joins"),
    [
        ([Waiting("a", 1), Waiting("b", 2)], {}, 0),
        ([Waiting("a", 1), Waiting("b", 2)], {"a": 1}, 1),
        ([Waiting("a", 1), Waiting("b", 2)], {"a": 1, "b": 1}, 0),
        ([Waiting("a", 5), Waiting("a", 3), Waiting("a", 4)], {"a": 2}, 1),
        ([Waiting("a", 1), Waiting("b", 9, put_back=True)], {"b": 3}, 1),
        ([Waiting("b", 9, put_back=True), Waiting("a", 2, put_back=True)], {"a": 3}, 1),
    ],
)
def test_callers_take_turns_and_who_was_put_back_goes_first(
    waiting: list[Waiting], running: dict[str, int], joins: int
) -> None:
    assert next_to_join(waiting, running) == joins


@pytest.mark.parametrize(
    ("left", "budget", "shares"),
    [
        ([1, 1, 1], 128, [1, 1, 1]),
        ([500], 128, [128]),
        ([1, 500, 1], 128, [1, 126, 1]),
        ([100, 100, 1], 128, [100, 27, 1]),
        ([200, 200], 128, [128, 0]),
        ([1] * 200 + [50], 128, [1] * 200 + [1]),  # even a full step moves one prompt on
    ],
)
def test_decoding_rows_always_move_and_prompts_share_the_rest(left: list[int], budget: int, shares: list[int]) -> None:
    assert share_step(left, budget) == shares


def test_a_row_is_padded_to_twice_its_length_at_most() -> None:
    classes = set()
    for tokens in range(1, 40_000, 7):
        length = length_class(tokens)
        classes.add(length)
        assert tokens <= length <= max(64, 2 * tokens)
        assert length - tokens < 2048
    assert len(classes) < 30


def test_rows_are_held_in_doublings() -> None:
    assert [rows_to_hold(rows) for rows in (1, 2, 3, 5, 16, 17)] == [1, 2, 4, 8, 16, 32]


def test_the_common_beginning_is_found_by_halving() -> None:
    source = random.Random(1)
    for _ in range(500):
        one, other = (tuple(source.choices((1, 2), weights=(9, 1), k=source.randint(0, 40))) for _ in range(2))
        expected = next(
            (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
        )
        assert common_length(one, other) == expected
