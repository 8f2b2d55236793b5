"""The validator: a score with named reasons for one answer. No model is asked but the judge that a run names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from langgraph.runtime import Runtime

from nodes.checks import CHECKS, MAX_CHARS
from nodes.checks.texts import Embed, far_apart
from nodes.judge import judge, judged_reason
from state.context import Context
from state.errors import LabError
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Analysis, Reason, Verdict

log = logging.getLogger(__name__)

PASS_SCORE = 0.6
"""Score from which an answer passes unless the run's context says otherwise."""


def validate(
    prompt: str, answer: str, analysis: Analysis, *, min_score: float = PASS_SCORE, embed: Embed | None = None
) -> Verdict:
    """Judge one answer: score 0..1 (1: nothing found), and each thing found with its evidence.

    Reasons weigh independently: the score is the product of what each leaves, so two halves make a quarter. With
    `embed`, a semantic embedder, an answer that is about something else is found as well; what `embed` raises passes
    through. Nothing else is raised, whatever the texts. Takes time in proportion to them, and the first call reads a
    file of 0.3 MB.
    """
    prompt, answer = prompt[:MAX_CHARS], answer[:MAX_CHARS]
    found = [check(prompt, answer, analysis) for check in CHECKS]
    if embed is not None and not any(reason is not None and reason.weight > 0.4 for reason in found):
        found.append(far_apart(prompt, answer, analysis, embed))
    return verdict_of(tuple(reason for reason in found if reason is not None), min_score)


def verdict_of(reasons: Sequence[Reason], min_score: float) -> Verdict:
    """The verdict that these reasons make; of two of one name the heavier counts."""
    heaviest: dict[str, Reason] = {}
    for reason in reasons:
        if reason.name not in heaviest or heaviest[reason.name].weight < reason.weight:
            heaviest[reason.name] = reason
    kept = tuple(heaviest.values())
    score = round(score_of(kept), 3)
    return Verdict(score=score, passed=score >= min_score, reasons=kept)


def score_of(reasons: Sequence[Reason]) -> float:
    """The product of (1 - weight) over the reasons."""
    score = 1.0
    for reason in reasons:
        score *= 1.0 - reason.weight
    return score


async def validate_answer(
    state: RunState, runtime: Runtime[Context], *, models: ChatModels | None = None, embed: Embed | None = None
) -> dict[str, object]:
    """Reads `task`, `analysis` and the last of `attempts`; appends to `verdicts`.

    Where the context names a judge and the checks let the answer pass, that model grades it. Raises NotFound for a
    judge that is no model.
    """
    assert state.task is not None and state.analysis is not None and state.attempts, "execute runs first"
    context, attempt = runtime.context or Context(), state.attempts[-1]
    prompt, analysis, least = state.task.prompt, state.analysis, context.min_score
    # A long answer takes tens of milliseconds, and the first one reads a file: too long for the event loop.
    judged = partial(validate, prompt, attempt.answer, analysis, min_score=least)
    try:
        verdict = await asyncio.to_thread(judged, embed=embed)
    except LabError as error:  # the embedder's: the other checks need none
        log.warning("answers are not held against their topic: %s", error)
        verdict = await asyncio.to_thread(judged)
    if attempt.finish_reason == "length":
        cut = Reason(name="truncated", evidence="the answer reached its token limit", weight=0.5)
        verdict = verdict_of((*verdict.reasons, cut), least)
    if context.judge is not None and models is not None and verdict.passed:
        grade = await judge(models, context.judge, prompt, attempt.answer, analysis)
        if grade is not None and (reason := judged_reason(grade, verdict.score, least)) is not None:
            verdict = verdict_of((*verdict.reasons, reason), least)
    return {"verdicts": [verdict]}
