"""The summariser: the best attempt becomes the thread's answer, with a line a node, and is remembered."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import uuid4

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore

from llm.sizing import human_bytes
from nodes.calling.prompting import clean
from nodes.costs import add_metrics
from nodes.memory import Memory, remember, runs_of
from state.context import Context
from state.errors import LabError
from state.models import CallMetrics
from state.run import RunState
from state.tasks import Attempt, Reason, Result, Verdict

OUTPUT_CHARS = 120
"""Of a tool's output that the summary tells."""

log = logging.getLogger(__name__)


def best_attempt(attempts: Sequence[Attempt], verdicts: Sequence[Verdict]) -> Attempt:
    """The attempt with the highest score; the earlier one of equals, so that a retry never replaces as good a one."""
    return max(attempts, key=lambda attempt: (verdicts[attempt.number - 1].score, -attempt.number))


async def summarise(state: RunState, runtime: Runtime[Context]) -> dict[str, object]:
    """Reads everything of the run; writes `result` and appends the answer to `messages`, unless a human rejected it.

    Where there is a store, the run is remembered in it.
    """
    assert state.task is not None and state.analysis is not None, "analyze_task runs first"
    if not state.attempts:
        return {"result": load_refused(state)}
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
    if runtime.store is not None:
        await _remember(runtime.store, runtime, state.task.prompt, result)
    return {"result": result, "messages": answered}


def load_refused(state: RunState) -> Result:
    """The result of a run whose first load a human rejected: nothing was loaded, so there is no answer."""
    assert state.analysis is not None and state.plan is not None and state.loads, "approve_load runs first"
    plan, load = state.plan, state.loads[-1]
    why = f": {load.message}" if load.message else ""
    told = f"a human rejected loading {plan.model} as {plan.strategy} ({human_bytes(plan.load_bytes)}){why}"
    return Result(
        output="",
        score=None,
        passed=False,
        attempts=0,
        kind=state.analysis.kind,
        language=state.analysis.language,
        reasons=(Reason(name="load_rejected", evidence=told),),
        metrics=CallMetrics(model_name=plan.model, strategy=plan.strategy, cache_hit=False),
        decided_by="human",
        summary=tell(state),
    )


def tell(state: RunState) -> tuple[str, ...]:
    """What happened, one line a node; this is what `history` shows."""
    assert state.task is not None and state.analysis is not None
    analysis = state.analysis
    lines = [
        f"history: {len(state.task.history)} earlier turns, related runs: {len(state.task.related)}",
        f"analyzer: {analysis.kind} ({analysis.confidence:.2f}), language {analysis.language}, {analysis.complexity}",
    ]
    if state.plugin is not None:
        failed = f": {state.plugin.error}" if state.plugin.error else ""
        lines.append(f"plugin: {state.plugin.name} {state.plugin.outcome}{failed}")
    if state.plan is not None and state.plan.notes:
        lines.append(f"monitor: {'; '.join(state.plan.notes)}")
    for load in state.loads:
        lines.append(f"human: load of {load.model}{f'/{load.strategy}' if load.strategy else ''}: {load.decision}")
    for attempt, verdict in zip(state.attempts, state.verdicts, strict=True):
        tools = "".join(f", {use.name} → {clean(use.output, OUTPUT_CHARS)}" for use in attempt.tools)
        made_as = f"/{attempt.strategy}" if attempt.strategy else ""
        reasons = ", ".join(reason.name for reason in verdict.reasons) or "nothing found"
        lines.append(
            f"attempt {attempt.number}: {attempt.model}{made_as}{tools}, score {verdict.score:.2f} ({reasons})"
        )
    if state.decision is not None:
        lines.append(f"human: {state.decision.decision}")
    return tuple(lines)


async def _remember(store: BaseStore, runtime: Runtime[Context], request: str, result: Result) -> None:
    info = runtime.execution_info
    memory = Memory(
        request=request,
        answer=result.output,
        kind=result.kind,
        language=result.language,
        score=result.score,
        passed=result.passed,
        thread_id=(info.thread_id if info is not None else None) or "",
        summary=result.summary,
    )
    # Where a host gives a run no id, its checkpoint's: a node that runs again, as after a crash, writes the same item.
    key = (info.run_id or info.checkpoint_id) if info is not None else None
    try:
        await remember(store, runs_of(runtime.server_info), key or str(uuid4()), memory)
    except LabError as error:  # the answer is there; that it is not remembered must not lose it
        log.warning("the run is not remembered: %s", error)


def _total(attempts: Sequence[Attempt]) -> CallMetrics:
    total: CallMetrics | None = None
    for attempt in attempts:
        total = add_metrics(total, attempt.metrics)
    assert total is not None
    return total
