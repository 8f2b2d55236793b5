"""A human in the loop: when the score stays low, the run stops and asks what to do with the best answer so far."""

from __future__ import annotations

from langgraph.types import interrupt
from pydantic import ValidationError

from nodes.summarise import best_attempt
from state.run import RunState
from state.tasks import Decision


async def ask_human(state: RunState) -> dict[str, object]:
    """Reads `task`, `attempts`, `verdicts`; writes `decision`.

    Interrupts with the best answer and what is wrong with it. Resume with a `Decision` as JSON, for example
    `{"decision": "accept"}`, `{"decision": "edit", "answer": "…"}`, `{"decision": "retry", "hint": "…"}`. An answer
    that is none of these interrupts again, saying what was wrong with it.
    """
    assert state.task is not None, "read_history runs first"
    best = best_attempt(state.attempts, state.verdicts)
    verdict = state.verdicts[best.number - 1]
    question: dict[str, object] = {
        "question": "The score stays low. Accept this answer, edit it, try again or reject it?",
        "prompt": state.task.prompt,
        "answer": best.answer,
        "score": verdict.score,
        "reasons": [reason.model_dump() for reason in verdict.reasons],
        "choices": ["accept", "edit", "retry", "reject"],
    }
    while True:
        reply = interrupt(question)
        try:
            return {"decision": read_decision(reply)}
        except ValueError as error:
            question = {**question, "error": str(error)}


def read_decision(reply: object) -> Decision:
    """A resume value as a Decision; a bare word such as `accept` is taken too. Raises ValueError in one line."""
    value = {"decision": reply.strip().lower()} if isinstance(reply, str) else reply
    try:
        decision = Decision.model_validate(value)
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(str(part) for part in wrong["loc"]) or "value"
        raise ValueError(f'{where}: {wrong["msg"]}; send {{"decision": "accept|edit|retry|reject"}}') from error
    if decision.decision == "edit" and not (decision.answer or "").strip():
        raise ValueError('answer: an edit needs the corrected text as "answer"')
    return decision
