"""Who joins a running batch, and how much of each request one step computes. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A request in the queue. `order` grows with each arrival; one that was put back keeps its own."""

    caller: str
    order: int
    put_back: bool = False
    """It ran already and gave its room to others; it goes first, so that nobody is put back for ever."""


def next_to_join(waiting: Sequence[Waiting], running: Mapping[str, int]) -> int:
    """Index of who joins next: whose caller has the fewest requests running, among equals who came first.

    `running`: requests of each caller in the batch now. So a caller with a hundred requests waiting delays another's
    single one by one answer at most.
    """

    def rank(index: int) -> tuple[bool, int, int]:
        item = waiting[index]
        return (not item.put_back, 0 if item.put_back else running.get(item.caller, 0), item.order)

    return min(range(len(waiting)), key=rank)


def share_step(left: Sequence[int], budget: int) -> list[int]:
    """Tokens that each row computes in this step. `left`: tokens of each row not computed yet, at least one.

    A row with one token left is decoding and always gets it. What remains of `budget` goes to prompts, in order, so
    that a long prompt is read in pieces between the others' tokens and holds up none of them for long.
    """
    spare = max(budget - sum(1 for count in left if count == 1), 1)
    shares = []
    for count in left:
        share = 1 if count == 1 else min(count, spare)
        spare -= share if count > 1 else 0
        shares.append(share)
    return shares


SMALLEST, LARGEST_DOUBLING = 64, 2048


def length_class(tokens: int) -> int:
    """The length, in tokens, of the rows that a request of `tokens` is kept in.

    Doubling up to 2,048 and in steps of 2,048 from there: rows of one class are computed together, padded to the
    longest of them, so few classes mean few kernels, and no row is padded to more than twice its length.
    """
    if tokens > LARGEST_DOUBLING:
        return math.ceil(tokens / LARGEST_DOUBLING) * LARGEST_DOUBLING
    return max(SMALLEST, 1 << (tokens - 1).bit_length())


def rows_to_hold(rows: int) -> int:
    """Rows that a class makes room for when it must hold `rows`: doubled, so that growing copies seldom."""
    return 1 << max(rows - 1, 0).bit_length()
