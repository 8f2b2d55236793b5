"""The validator: a score with named reasons for one answer. Deterministic; no model is asked."""

from __future__ import annotations

from langgraph.runtime import Runtime

from nodes.checks import CHECKS, MAX_CHARS
from state.context import Context
from state.run import RunState
from state.tasks import Analysis, Reason, Verdict

PASS_SCORE = 0.6
"""Score from which an answer passes unless the run's context says otherwise."""


def validate(prompt: str, answer: str, analysis: Analysis, *, min_score: float = PASS_SCORE) -> Verdict:
    """Judge one answer: score 0..1 (1: nothing found), and each thing found with its evidence.

    Reasons weigh independently: the score is the product of what each leaves, so two halves make a quarter.
    """
    found = [check(prompt[:MAX_CHARS], answer[:MAX_CHARS], analysis) for check in CHECKS]
    reasons = tuple(reason for reason in found if reason is not None)
    score = round(score_of(reasons), 3)
    return Verdict(score=score, passed=score >= min_score, reasons=reasons)


def score_of(reasons: tuple[Reason, ...]) -> float:
    """The product of (1 - weight) over the reasons."""
    score = 1.0
    for reason in reasons:
        score *= 1.0 - reason.weight
    return score


async def validate_answer(state: RunState, runtime: Runtime[Context]) -> dict[str, object]:
    """Reads `task`, `analysis` and the last of `attempts`; appends to `verdicts`."""
    assert state.task is not None and state.analysis is not None and state.attempts, "execute runs first"
    attempt = state.attempts[-1]
    context = runtime.context or Context()
    verdict = validate(state.task.prompt, attempt.answer, state.analysis, min_score=context.min_score)
    if attempt.finish_reason == "length" and not any(reason.name == "truncated" for reason in verdict.reasons):
        cut = Reason(name="truncated", evidence="the answer reached its token limit", weight=0.5)
        reasons = (*verdict.reasons, cut)
        score = round(score_of(reasons), 3)
        verdict = Verdict(score=score, passed=score >= context.min_score, reasons=reasons)
    return {"verdicts": [verdict]}
