"""Where a run of a crew or a flow ends: what it returns, or why it could not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from nodes.teams.aggregate import combine
from nodes.teams.inputs import latest
from nodes.teams.messages import to_client
from nodes.teams.runs import record, run_id_of
from nodes.teams.steps import Team
from state.agent_ports import AgentNeeds
from state.crew_run import AgentExecution, CrewContext, CrewResult, CrewState, LogEntry, StepOutcome
from state.errors import AgentFailed

MAX_ERROR_CHARS = 300
"""Of one agent's error, where the errors of all are told."""


async def finish(
    state: CrewState, runtime: Runtime[CrewContext], *, team: Team, needs: AgentNeeds
) -> dict[str, object]:
    """Reads what the run has written; writes `result`, appends to `messages`, `agent_messages`, `log`.

    Raises AgentFailed, which names each agent's error, where no step has an answer.
    """
    run_id, now = run_id_of(runtime), datetime.now(UTC)
    outcomes = in_order(team, state.outcomes)
    answered = [outcome for outcome in outcomes if outcome.status == "completed"]
    if not answered:
        await record(needs, run_id, state.agent_messages)
        raise AgentFailed(failure_of(team, outcomes))
    chosen = exits_of(team, outcomes)
    output = output_of(team, chosen)
    messages = to_client(run_id, chosen, now)
    # Those of the steps again: a process that died had perhaps not written them. Each is kept once, by its id.
    await record(needs, run_id, [*state.agent_messages, *messages])
    finished = LogEntry(at=now, event="finished", detail=f"{len(answered)} of {len(outcomes)} steps answered")
    return {
        "messages": [AIMessage(output, id=str(uuid5(run_id, "output")) if run_id else None)],
        "agent_messages": messages,
        "log": [finished],
        "result": result_of(team, state, outcomes, output, finished),
    }


def failure_of(team: Team, outcomes: Sequence[StepOutcome]) -> str:
    """What to say where nobody answered."""
    errors = [
        # The error of a step that is called like its agent begins with that name.
        f"{outcome.step}: {(outcome.error or '').removeprefix(f'{outcome.step}: ')[:MAX_ERROR_CHARS]}"
        for outcome in outcomes
        if outcome.status == "failed"
    ]
    told = "; ".join(errors) or "none was asked"
    return f"no agent of the {team.kind} {team.id or team.name} answered: {told}"


def exits_of(team: Team, outcomes: Sequence[StepOutcome]) -> list[StepOutcome]:
    """The answers that are the output: those of the exit steps; where none of them has one, what there is instead.

    That is of a parallel crew all that was answered, in the crew's order, else the last answer.
    """
    by_step = latest([outcome for outcome in outcomes if outcome.status == "completed"])
    exits = [by_step[name] for name in team.exits if name in by_step]
    if exits:
        return exits
    if team.mode == "parallel":
        return [by_step[step.id] for step in team.steps if step.id in by_step]
    return list(by_step.values())[-1:]


def output_of(team: Team, chosen: Sequence[StepOutcome]) -> str:
    """The output as a text: one answer as it is, several with a blank line between."""
    if team.mode == "parallel" and not any(outcome.step in team.exits for outcome in chosen):
        return combine(team, chosen)
    return "\n\n".join(outcome.text for outcome in chosen)


def result_of(
    team: Team, state: CrewState, outcomes: Sequence[StepOutcome], output: str, finished: LogEntry
) -> CrewResult:
    """The whole result. `results` and `agent_ids` go together: one of each for each answer, in their order."""
    answered = [outcome for outcome in outcomes if outcome.status == "completed"]
    return CrewResult(
        output=output,
        results=tuple(outcome.text for outcome in answered),
        agent_ids=tuple(outcome.step if team.kind == "crew" else outcome.agent_id for outcome in answered),
        agents=tuple(execution_of(outcome) for outcome in outcomes),
        execution_log=(*sorted(state.log, key=lambda entry: entry.at), finished),
        node_results={name: node_result(outcome) for name, outcome in latest(outcomes).items()},
        metadata=metadata_of(team, state, outcomes, finished),
    )


def in_order(team: Team, outcomes: Sequence[StepOutcome]) -> list[StepOutcome]:
    """As the steps run, each once; the graph has those that ran at once by name. In a loop, as they came.

    A step has two outcomes where a run goes on from an earlier step: the later one counts.
    """
    if team.sees == "all":
        return list(outcomes)
    places = {step.id: place for place, step in enumerate(team.steps)}
    return sorted(latest(outcomes).values(), key=lambda outcome: places.get(outcome.step, len(places)))


def execution_of(outcome: StepOutcome) -> AgentExecution:
    """Who answered a step and what it took."""
    return AgentExecution(
        step=outcome.step,
        agent_id=outcome.agent_id,
        agent_name=outcome.agent_name,
        agent_class=outcome.agent_class,
        status=outcome.status,
        execution_time=outcome.seconds,
        attempts=outcome.attempts,
        input_tokens=outcome.input_tokens,
        output_tokens=outcome.output_tokens,
        model=outcome.model,
        error=outcome.error,
        fallback_for=outcome.tried[0].agent_id if outcome.status == "completed" and outcome.tried else None,
    )


def node_result(outcome: StepOutcome) -> Any:
    """A step's output as it came; of one without an answer, what became of it."""
    if outcome.status == "completed":
        return outcome.output
    return {"status": outcome.status, "error": outcome.error}


def metadata_of(team: Team, state: CrewState, outcomes: Sequence[StepOutcome], finished: LogEntry) -> dict[str, Any]:
    """The definition's own, and what the run was. `execution_time` in seconds, waiting for humans included."""
    spent = {
        "input_tokens": sum(outcome.input_tokens for outcome in outcomes),
        "output_tokens": sum(outcome.output_tokens for outcome in outcomes),
    }
    counts = {
        status: sum(outcome.status == status for outcome in outcomes) for status in ("completed", "failed", "skipped")
    }
    return {
        **team.metadata,
        f"{team.kind}_id": team.id,
        "name": team.name,
        "execution_mode": team.mode,
        "execution_time": round((finished.at - state.log[0].at).total_seconds(), 3) if state.log else 0.0,
        **spent,
        "total_tokens": sum(spent.values()),
        "steps": counts,
    }
