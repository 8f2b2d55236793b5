"""The node of one step: what it is asked, who answers, and what is recorded of it. It never fails the graph."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime

from nodes.agents.calling import Answered, NoAnswer, ask
from nodes.agents.plain import kept
from nodes.agents.remote import timeout_of
from nodes.agents.words import error_line
from nodes.teams.inputs import ask_of, is_skipped, sources_of
from nodes.teams.kinds import StepKind
from nodes.teams.messages import to_step
from nodes.teams.outcomes import (
    Turn,
    answered_outcome,
    called,
    event_of,
    failed_outcome,
    log_of,
    skipped_outcome,
)
from nodes.teams.places import Places
from nodes.teams.runs import attempt_of, note, run_id_of, thread_id_of
from nodes.teams.shared import Blackboards, SharedView
from nodes.teams.steps import Step, Team, attempts_of
from state.agent_ports import AgentCall, AgentNeeds
from state.crew_run import CrewContext, CrewState, StepOutcome
from state.errors import AgentFailed, BadRequest, NoDatabase, TimedOut, Unavailable
from state.messages import AgentMessage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stepping:
    """What all steps of one graph run with."""

    team: Team
    needs: AgentNeeds
    boards: Blackboards
    kinds: Mapping[str, StepKind]
    """The kinds of steps that are no agent's turn, by name."""
    places: Places


async def run_step(
    state: CrewState, runtime: Runtime[CrewContext], *, step: Step, stepping: Stepping
) -> dict[str, object]:
    """Reads `task`, `given`, `outcomes`, `shared`; appends to `outcomes`, `agent_messages`, `shared` and `log`.

    A step that fails on its last attempt has an outcome that says so. Raises Unavailable while attempts are left, for
    the node's retry policy, and NoDatabase always. Interrupts and cancellation pass.
    """
    sources = sources_of(state, step, stepping.team)
    if is_skipped(step, stepping.team, sources):
        now = datetime.now(UTC)
        outcome = skipped_outcome(Turn(step, now, attempt=0), now)
        runtime.stream_writer(event_of(outcome))
        return {"outcomes": [outcome], "log": log_of(outcome)}
    async with stepping.places.taken(run_id_of(runtime)):
        return await _take_turn(state, runtime, Turn(step, _started(runtime), attempt_of(runtime)), stepping, sources)


async def _take_turn(
    state: CrewState,
    runtime: Runtime[CrewContext],
    turn: Turn,
    stepping: Stepping,
    sources: Sequence[StepOutcome],
) -> dict[str, object]:
    step, needs = turn.step, stepping.needs
    shared = SharedView(stepping.boards.of(run_id_of(runtime), state.shared), called(step), step.id)
    call = call_of(turn, runtime, stepping, shared)
    runtime.stream_writer(_event(turn, "started"))
    kind = stepping.kinds.get(step.kind)
    try:
        asked = ask_of(state, step, stepping.team, sources, shared.values(), kind.templates if kind else ())
    except BadRequest as error:
        outcome = failed_outcome(turn, error, datetime.now(UTC), attempts=0)
    else:
        call = replace(call, text=asked.text, input=asked.input, config=asked.config)
        outcome = await _outcome(turn, call, kind, runtime, needs)
    _log(outcome, call.execution_id)
    told = _told(state, outcome, sources, call)
    note(needs, call.execution_id, told)
    runtime.stream_writer(event_of(outcome))
    return {"outcomes": [outcome], "agent_messages": told, "shared": shared.changes(), "log": log_of(outcome)}


async def _outcome(
    turn: Turn, call: AgentCall, kind: StepKind | None, runtime: Runtime[CrewContext], needs: AgentNeeds
) -> StepOutcome:
    """What came of the call. Raises Unavailable where another attempt follows."""
    step, last = turn.step, turn.attempt >= attempts_of(turn.step.config)
    try:
        answered = await (ask(step, call, needs, last=last) if kind is None else _do(kind, call, needs))
    except (NoAnswer, BadRequest) as error:
        return failed_outcome(turn, error, datetime.now(UTC), attempts=turn.attempt)
    except Unavailable as error:
        if last and isinstance(error, NoDatabase):
            raise  # nobody's failure: the run goes back to the queue
        if not last:
            runtime.stream_writer({**_event(turn, "retrying"), "error": str(error)})
            raise
        return failed_outcome(turn, error, datetime.now(UTC), attempts=turn.attempt)
    return answered_outcome(turn, answered, datetime.now(UTC))


def call_of(turn: Turn, runtime: Runtime[CrewContext], stepping: Stepping, shared: SharedView) -> AgentCall:
    """The call, as far as it is known before the question is made."""
    step = turn.step
    return AgentCall(
        step=step.id,
        agent_id=called(step),
        text="",
        input={},
        config=step.config,
        execution_id=run_id_of(runtime),
        thread_id=thread_id_of(runtime),
        attempt=turn.attempt,
        context=runtime.context or CrewContext(),
        shared=shared,
        messages=stepping.needs.messages,
        memory=runtime.store,
        definition=(stepping.team.kind, stepping.team.id),
        choices=stepping.team.choices,
    )


async def _do(kind: StepKind, call: AgentCall, needs: AgentNeeds) -> Answered:
    """A step that is no agent's turn. Raises what agents raise; whatever else its kind raises is AgentFailed."""
    timeout = timeout_of(call.config, needs.request_timeout_sec)
    bound = asyncio.timeout(timeout)
    try:
        async with bound:
            reply = await kind.run(call, needs)
    except (BadRequest, Unavailable, GraphBubbleUp):
        raise
    except Exception as error:  # a kind of step may be foreign code
        if bound.expired():
            raise TimedOut(f"not done within {timeout:g} s") from None
        log.exception("step %s of the kind %s", call.step, kind.name)
        raise AgentFailed(error_line(error)) from error
    return Answered(kept(reply), call.step, call.step, kind.name, call.attempt)


def _told(
    state: CrewState, outcome: StepOutcome, sources: Sequence[StepOutcome], call: AgentCall
) -> list[AgentMessage]:
    """What the agents that were asked were told; who was asked is known when the step has ended."""
    if not outcome.attempts:
        return []
    asked = [one.agent_id for one in outcome.tried]
    return to_step(
        call.execution_id,
        outcome.step,
        sum(earlier.step == outcome.step for earlier in state.outcomes),
        agents=[*asked, outcome.agent_id],
        sources=sources,
        asked=call.input,
        at=outcome.started_at,
    )


def _log(outcome: StepOutcome, execution_id: UUID | None) -> None:
    """One line of the process's log, with the fields by which such lines are searched."""
    fields = {"execution_id": str(execution_id), "node_id": outcome.step, "execution_time": outcome.seconds}
    done = f"step {outcome.step} of execution {execution_id} {outcome.status} in {outcome.seconds:.3f} s"
    if outcome.status == "completed":
        log.info("%s: %s", done, outcome.agent_id, extra=fields)
    else:
        log.warning("%s, attempts: %d: %s", done, outcome.attempts, outcome.error, extra=fields)


def _event(turn: Turn, status: str) -> dict[str, object]:
    step = turn.step
    return {"event": "agent", "step": step.id, "agent_id": called(step), "status": status, "attempt": turn.attempt}


def _started(runtime: Runtime[CrewContext]) -> datetime:
    """When the step's first attempt began; now, for that one: it may have waited for its place."""
    first = runtime.execution_info.node_first_attempt_time if runtime.execution_info else None
    return datetime.now(UTC) if first is None or attempt_of(runtime) == 1 else datetime.fromtimestamp(first, UTC)
