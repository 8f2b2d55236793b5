"""The summariser: the best attempt becomes the thread's answer, with a line for what each node did."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage

from nodes.costs import add_metrics
from state.models import CallMetrics
from state.run import RunState
from state.tasks import Attempt, Result, Verdict


def best_attempt(attempts: Sequence[Attempt], verdicts: Sequence[Verdict]) -> Attempt:
    """The attempt with the highest score; the earlier one of equals, so that a retry never replaces as good a one."""
    return max(attempts, key=lambda attempt: (verdicts[attempt.number - 1].score, -attempt.number))


async def summarise(state: RunState) -> dict[str, object]:
    """Reads everything of the run; writes `result` and appends the answer to `messages`, unless a human rejected it."""
    assert state.task is not None and state.analysis is not None and state.attempts, "execute runs first"
    best = best_attempt(state.attempts, state.verdicts)
    verdict = state.verdicts[best.number - 1]
    decision = state.decision.decision if state.decision is not None else None
    by_human = decision in ("accept", "edit", "reject")
    if decision == "edit" and state.decision is not None:
        output = state.decision.answer or ""
    else:
        output = "" if decision == "reject" else best.answer
    result = Result(
        output=output,
        score=verdict.score,
        passed=decision != "reject" if by_human else verdict.passed,
        attempts=len(state.attempts),
        kind=state.analysis.kind,
        language=state.analysis.language,
        reasons=verdict.reasons,
        metrics=_total(state.attempts),
        decided_by="human" if by_human else "validator",
        summary=tell(state),
    )
    answered = [AIMessage(content=output, id=best.message_id)] if decision != "reject" else []
    return {"result": result, "messages": answered}


def tell(state: RunState) -> tuple[str, ...]:
    """What happened, one line a node; this is what `history` shows."""
    assert state.task is not None and state.analysis is not None
    analysis = state.analysis
    lines = [
        f"history: {len(state.task.history)} earlier turns",
        f"analyzer: {analysis.kind} ({analysis.confidence:.2f}), language {analysis.language}, {analysis.complexity}",
    ]
    if state.plan is not None and state.plan.notes:
        lines.append(f"monitor: {'; '.join(state.plan.notes)}")
    for attempt, verdict in zip(state.attempts, state.verdicts, strict=True):
        tools = "".join(f", {use.name} → {use.output}" for use in attempt.tools)
        reasons = ", ".join(reason.name for reason in verdict.reasons) or "nothing found"
        lines.append(
            f"attempt {attempt.number}: {attempt.model}/{attempt.strategy}{tools}, "
            f"score {verdict.score:.2f} ({reasons})"
        )
    if state.decision is not None:
        lines.append(f"human: {state.decision.decision}")
    return tuple(lines)


def _total(attempts: Sequence[Attempt]) -> CallMetrics:
    total: CallMetrics | None = None
    for attempt in attempts:
        total = add_metrics(total, attempt.metrics)
    assert total is not None
    return total
