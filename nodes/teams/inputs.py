"""What a step is asked, decided from what is there: the run's input and the answers of the steps before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import HumanMessage

from nodes.teams.references import Scope, fill, fill_text
from nodes.teams.steps import Step, Team
from nodes.teams.texts import text_of, told
from state.crew_run import CrewState, StepOutcome
from state.errors import BadRequest

NAMED_IN_INPUT = ("query", "task", "text", "prompt", "topic", "input")
"""Where an `input_data` has what is asked, by custom; the first that holds a text counts."""


@dataclass(frozen=True)
class Asked:
    """One step's question: the same for agents that read and for agents that are sent JSON."""

    text: str
    input: Mapping[str, Any]
    config: Mapping[str, Any]
    """The step's, with the references in its templates filled in."""


def task_of(state: CrewState, kind: Literal["crew", "flow"]) -> str:
    """What is asked, as a text: `query`, else the human's last message, else what `input_data` says.

    Of a flow `input_data` goes before the messages, and so it does where the message was there before: nothing follows
    it because that run failed. Raises BadRequest when nothing is asked; a flow may begin without a word.
    """
    message = state.messages[-1] if state.messages else None
    said = message.text.strip() if isinstance(message, HumanMessage) else ""
    data = _text_in(state.input_data)
    is_new = kind == "crew" and message is not None and message.id != state.heard
    task = state.query.strip() or (said or data if is_new else data or said)
    if not task and kind == "crew":
        raise BadRequest("nothing is asked; send query, a human message, or input_data")
    return task


def _text_in(data: Mapping[str, Any]) -> str:
    for key in NAMED_IN_INPUT:
        if isinstance(said := data.get(key), str) and said.strip():
            return said.strip()
    texts = [value for value in data.values() if isinstance(value, str) and value.strip()]
    if len(data) == len(texts) == 1:
        return texts[0].strip()
    return text_of(data) if data else ""


def latest(outcomes: Sequence[StepOutcome]) -> dict[str, StepOutcome]:
    """By step; of a step that ran several times the last, at the place of that last time."""
    found: dict[str, StepOutcome] = {}
    for outcome in outcomes:
        found.pop(outcome.step, None)
        found[outcome.step] = outcome
    return found


def sources_of(state: CrewState, step: Step, team: Team) -> list[StepOutcome]:
    """The answers that a step is told, in order; of those that failed or were skipped there are none."""
    answered = answered_before(state, step, team)
    match team.sees:
        case "last":
            return list(answered.values())[-1:]
        case "all":
            return list(answered.values())
        case "needed":
            return [answered[name] for name in step.depends_on if name in answered]


def answered_before(state: CrewState, step: Step, team: Team) -> dict[str, StepOutcome]:
    """The latest answer of each step, in the order in which they came.

    In a sequence without the step's own and those after it: they are there when a run goes on from an earlier step.
    """
    names = [one.id for one in team.steps]
    after = names[names.index(step.id) :] if team.sees == "last" and step.id in names else ()
    return {
        name: outcome
        for name, outcome in latest(state.outcomes).items()
        if outcome.status == "completed" and name not in after
    }


def is_skipped(step: Step, team: Team, sources: Sequence[StepOutcome]) -> bool:
    """Whether all that a step was to build on is missing."""
    return team.sees == "needed" and bool(step.depends_on) and not sources


def ask_of(
    state: CrewState,
    step: Step,
    team: Team,
    sources: Sequence[StepOutcome],
    shared: Mapping[str, Any],
    templates: Sequence[str] = (),
) -> Asked:
    """What a step is asked. `shared`: the values that all agents see; `templates`: more keys of `config` to fill.

    Raises BadRequest for a reference that names nothing.
    """
    scope = scope_of(state, team, sources)
    config = dict(step.config)
    for key in templates:
        if key in config:
            config[key] = fill(config[key], scope)
    prompt = config.get("prompt")
    if isinstance(prompt, str):
        text = config["prompt"] = fill_text(prompt, scope)
    else:
        text = "\n\n".join(part for part in (state.task, told(_labelled(team, sources))) if part)
    return Asked(text=text, input=_input_of(state, step, team, sources, shared, scope), config=config)


def scope_of(state: CrewState, team: Team, sources: Sequence[StepOutcome]) -> Scope:
    """What references may name. A step without an answer is there with none, so that those that name it go on."""
    by_step = latest(state.outcomes)
    previous = _joined(sources)
    values: dict[str, Any] = {step.id: None for step in team.steps}
    values |= {name: outcome.output for name, outcome in by_step.items()}
    texts = {name: by_step[name].text if name in by_step else "" for name in values}
    given = state.given or ({"query": state.task} if state.task else {})
    values |= {"query": state.task, "previous": previous, "input": given}
    return Scope(values, texts | {"query": state.task, "previous": previous, "input": text_of(given)})


def _input_of(
    state: CrewState,
    step: Step,
    team: Team,
    sources: Sequence[StepOutcome],
    shared: Mapping[str, Any],
    scope: Scope,
) -> Mapping[str, Any]:
    if team.kind == "flow":
        wanted = step.config.get("input")
        if isinstance(wanted, Mapping):
            return {str(name): fill(value, scope) for name, value in wanted.items()}
        if sources:
            return {source.step: source.output for source in sources}
        return dict(scope.values["input"])
    everyone = sources if team.sees == "needed" else answered_before(state, step, team).values()
    results = {source.step: source.output for source in everyone}
    return {
        "user_query": _joined(sources) or state.task,
        "context": {**state.given, "task": state.task, "results": results, "shared": dict(shared)},
    }


def _joined(sources: Sequence[StepOutcome]) -> str:
    return "\n\n".join(source.text for source in sources if source.text)


def _labelled(team: Team, sources: Sequence[StepOutcome]) -> list[tuple[str, str]]:
    return [(_label(team, source), source.text) for source in sources]


def _label(team: Team, outcome: StepOutcome) -> str:
    step = team.step(outcome.step)
    return step.label if step is not None else outcome.step
