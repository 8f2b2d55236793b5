"""What the steps of a crew or a flow have come to, out of its state as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nodes.teams.finish import execution_of, node_result
from server.wire.values import plain
from state.crew_run import StepOutcome


@dataclass(frozen=True)
class Progress:
    """So far; plain JSON. `agents`: how each step went, as `state.crew_run.AgentExecution` has it."""

    node_results: Mapping[str, Any] = field(default_factory=dict)
    agents: Sequence[Mapping[str, Any]] = ()
    execution_log: Sequence[Any] = ()
    result: Mapping[str, Any] | None = None
    """The result, where the run came to its end."""
    interrupts: Sequence[Mapping[str, Any]] = ()
    """What is asked: `id` and `value`."""


def progress_of(values: Any, tasks: Sequence[Mapping[str, Any]] = ()) -> Progress:
    """Of a state's values and of the tasks that it still has; what is no state of a crew says nothing.

    The values hold what steps have done whose siblings still run. A result says all of it again, and is what a run that
    streams its values leaves alone.
    """
    state = plain(values)
    if not isinstance(state, Mapping):
        return Progress()
    result = state.get("result")
    if isinstance(result, Mapping):
        results = result.get("node_results")
        return Progress(
            node_results=results if isinstance(results, Mapping) else {},
            agents=_listed(result.get("agents")),
            execution_log=_listed(result.get("execution_log")),
            result=result,
        )
    outcomes = _outcomes(state)
    return Progress(
        node_results={outcome.step: plain(node_result(outcome)) for outcome in outcomes},
        agents=[execution_of(outcome).model_dump(mode="json") for outcome in outcomes],
        execution_log=_listed(state.get("log")),
        interrupts=[asked for task in plain(list(tasks)) for asked in _listed(task.get("interrupts"))],
    )


def _outcomes(part: Mapping[str, Any]) -> list[StepOutcome]:
    """Clients may write states: what is no outcome is left out."""
    found = []
    for each in _listed(part.get("outcomes")):
        try:
            found.append(StepOutcome.model_validate(each))
        except ValidationError:
            continue
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
