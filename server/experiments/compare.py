"""What two configurations made of the same items: means, wins, and how sure the difference is. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from statistics import fmean, median
from typing import Literal

from pydantic import BaseModel, ConfigDict

Match = Literal["exact", "contains"]
Side = Literal["a", "b"]

Z = 1.96
"""Standard deviations of a 95 % interval."""


class Answered(BaseModel):
    """What one configuration made of one item. `score` is the validator's, the same for both sides."""

    model_config = ConfigDict(frozen=True)

    output: str
    score: float
    right: bool | None
    """Whether it is one of the expected answers; None where none was given."""
    reasons: tuple[str, ...] = ()
    attempts: int = 1
    seconds: float = 0.0
    tokens: int = 0
    error: str | None = None


class Pair(BaseModel):
    """Both answers to one item."""

    model_config = ConfigDict(frozen=True)

    index: int
    prompt: str
    a: Answered
    b: Answered

    def side(self, side: Side) -> Answered:
        return self.a if side == "a" else self.b


class SideSummary(BaseModel):
    """One configuration over all items. Seconds and tokens are of a run, tools and retries included."""

    score: float
    right: float | None
    attempts: float
    seconds_p50: float
    tokens: float
    errors: int


class Comparison(BaseModel):
    """A win is the better answer: right against wrong where answers are expected, else the higher score.

    `win_rate`: B's share of the items that are not ties, with its 95 % interval (Wilson); None when all are ties.
    `p_value`: two-sided sign test, the chance of such a split if both were equally good.
    """

    items: int
    a: SideSummary
    b: SideSummary
    wins_a: int
    wins_b: int
    ties: int
    win_rate: float | None
    interval: tuple[float, float] | None
    p_value: float


def is_right(output: str, expected: Sequence[str], match: Match) -> bool | None:
    """Whether an answer is an expected one, letter case, accents' spelling and outer punctuation aside.

    `contains`: an expected answer may stand among other words, whole; 4 stands neither in 4.5 nor in -4.
    """
    if not expected:
        return None
    said = plain(output)
    wanted = [plain(each) for each in expected]
    if match == "exact":
        return said in wanted
    return any(re.search(_whole(each), said) is not None for each in wanted if each)


def plain(text: str) -> str:
    """The text in one form: composed letters, one case, single spaces, no punctuation around it."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip(" .,;:!?¡¿\"'`*«»“”‘’") or folded


def _whole(wanted: str) -> str:
    """A pattern of this text where neither a word nor a number goes on beside it."""
    before = r"(?<!\d[.,])(?<!\s[-−])(?<!^[-−])" if wanted[0].isdigit() else ""
    after = r"(?![.,]\d)" if wanted[-1].isdigit() else ""
    return rf"(?<!\w){before}{re.escape(wanted)}(?!\w){after}"


def compare(pairs: Sequence[Pair]) -> Comparison:
    """The figures of an experiment. Raises ValueError without a pair."""
    wins_a = sum(better(pair) == "a" for pair in pairs)
    wins_b = sum(better(pair) == "b" for pair in pairs)
    decided = wins_a + wins_b
    return Comparison(
        items=len(pairs),
        a=summarised([pair.a for pair in pairs]),
        b=summarised([pair.b for pair in pairs]),
        wins_a=wins_a,
        wins_b=wins_b,
        ties=len(pairs) - decided,
        win_rate=wins_b / decided if decided else None,
        interval=wilson(wins_b, decided) if decided else None,
        p_value=sign_test(wins_a, wins_b),
    )


def better(pair: Pair) -> Side | None:
    """Which answer is better; None for a tie."""
    if pair.a.right is not None and pair.b.right is not None:
        key_a, key_b = float(pair.a.right), float(pair.b.right)
    else:
        key_a, key_b = pair.a.score, pair.b.score
    return None if key_a == key_b else "a" if key_a > key_b else "b"


def summarised(answers: Sequence[Answered]) -> SideSummary:
    known = [answer.right for answer in answers if answer.right is not None]
    return SideSummary(
        score=fmean(answer.score for answer in answers),
        right=fmean(known) if known else None,
        attempts=fmean(answer.attempts for answer in answers),
        seconds_p50=median(answer.seconds for answer in answers),
        tokens=fmean(answer.tokens for answer in answers),
        errors=sum(answer.error is not None for answer in answers),
    )


def wilson(wins: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson, 1927)."""
    share, spread = wins / of, Z * Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def sign_test(wins_a: int, wins_b: int) -> float:
    """Two-sided exact binomial test of wins against a fair coin."""
    decided, fewer = wins_a + wins_b, min(wins_a, wins_b)
    # In logarithms: 2^-n is 0 to a float from 1,075 items on.
    log_all = -decided * math.log(2)
    tail = math.fsum(
        math.exp(math.lgamma(decided + 1) - math.lgamma(k + 1) - math.lgamma(decided - k + 1) + log_all)
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)
