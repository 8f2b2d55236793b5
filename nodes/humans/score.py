"""A human in the loop: when the score stays low, the run stops and asks what to do with the best answer so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from langgraph.types import interrupt

from nodes.humans.decisions import SCORE, Question, question, read_score
from nodes.summarise import best_attempt
from state.run import RunState

T = TypeVar("T")


async def ask_human(state: RunState) -> dict[str, object]:
    """Reads `task`, `attempts`, `verdicts`; writes `decision`.

    Interrupts with the best answer and what is wrong with it; `nodes.humans.decisions` says which answers are taken.
    """
    assert state.task is not None, "read_history runs first"
    best = best_attempt(state.attempts, state.verdicts)
    verdict = state.verdicts[best.number - 1]
    reasons = ", ".join(reason.name for reason in verdict.reasons) or "no reason found"
    asked = question(
        "score",
        "The score stays low. Accept this answer, edit it, try again or reject it?",
        SCORE,
        [("answer", {"answer": best.answer}, f"score {verdict.score:.2f}: {reasons}")],
        prompt=state.task.prompt,
        answer=best.answer,
        score=verdict.score,
        reasons=[reason.model_dump() for reason in verdict.reasons],
    )
    return {"decision": ask(asked, read_score)}


def ask(asked: Question, read: Callable[[Question, object], T]) -> T:
    """Interrupt until the answer can be read; each time anew, the question says what was wrong with the last one."""
    while True:
        reply = interrupt(asked)
        try:
            return read(asked, reply)
        except ValueError as error:
            asked = {**asked, "error": str(error)}
