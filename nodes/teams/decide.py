"""Who goes on in an adaptive crew: the agent that the last one named, else the one that a model chooses.

The model chooses among those that have had no turn yet; only an agent can send back to one that has had it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langgraph.constants import TAG_NOSTREAM
from langgraph.runtime import Runtime

from nodes.teams.inputs import latest
from nodes.teams.runs import attempt_of
from nodes.teams.steps import ATTEMPTS, Team
from state.crew_run import CrewContext, CrewState, LogEntry, StepOutcome
from state.errors import BadRequest, LabError, Unavailable
from state.flows import DecisionSpec
from state.models import Sampling
from state.ports import ChatModels

log = logging.getLogger(__name__)

END = "end"
MAX_TOKENS = 120
MAX_PART_CHARS = 2_000
"""Of the agents, of the task and of the results, as the model is shown them: a long one leaves room for the others."""
MAX_REASON_CHARS = 300
PROMPT = (
    "You lead a team. Choose which agent goes on, or end when the results below answer the task. "
    "Do not carry out the task yourself."
)


@dataclass(frozen=True)
class Choice:
    """An agent of the crew or END, and why."""

    next: str
    reason: str


async def decide(
    state: CrewState, runtime: Runtime[CrewContext], *, team: Team, decision: DecisionSpec, models: ChatModels
) -> dict[str, object]:
    """Reads `outcomes`; writes `choice` and appends to `log`.

    A model that does not answer ends the run with what there is. Raises Unavailable while attempts are left.
    """
    entries, choice = [], settled(team, decision, state.outcomes)
    if unknown := unknown_choice(team, state.outcomes):
        entries.append(_entry(state.outcomes[-1].agent_id, f"there is no agent '{unknown}' to go on"))
    if choice is None:
        name = decision.model or (runtime.context or CrewContext()).model or models.default_model
        try:
            choice = await choose(models, name, team, decision, state)
        except Unavailable as error:
            if attempt_of(runtime) < ATTEMPTS:
                raise
            choice = _ended(name, error)
        # Words instead of a choice are ValueErrors; providers that know no schemas raise the others.
        except (LabError, ValueError, TypeError, NotImplementedError) as error:
            choice = _ended(name, error)
    runtime.stream_writer({"event": "decision", "next": choice.next, "reason": choice.reason})
    return {"choice": choice.next, "log": [*entries, _entry(choice.next, choice.reason)]}


def settled(team: Team, decision: DecisionSpec, outcomes: list[StepOutcome]) -> Choice | None:
    """The choice where no model is needed: the bound is reached, or the last agent said who goes on."""
    if len(outcomes) >= decision.max_steps:
        return Choice(END, f"{len(outcomes)} steps, as many as decision.max_steps allows")
    if not outcomes:  # somebody wrote into the thread as an agent, without an answer of it
        return None
    last, said = outcomes[-1], named(outcomes)
    if said in team.choices:
        return Choice(said, f"{last.step} said so")
    if said.lower() == END:
        return Choice(END, f"{last.step} said so")
    return None if left_of(team, outcomes) else Choice(END, "every agent has had its turn")


def left_of(team: Team, outcomes: list[StepOutcome]) -> tuple[str, ...]:
    """The agents that have had no turn."""
    had = {outcome.step for outcome in outcomes}
    return tuple(name for name in team.choices if name not in had)


def unknown_choice(team: Team, outcomes: list[StepOutcome]) -> str:
    """What the last agent named as the next that is no agent of the crew; empty: nothing."""
    said = named(outcomes)
    return "" if said in team.choices or said.lower() == END else said[:64]


def named(outcomes: list[StepOutcome]) -> str:
    """Whom the last agent named as the next; empty: nobody."""
    return (outcomes[-1].next or "").strip() if outcomes else ""


async def choose(models: ChatModels, name: str, team: Team, decision: DecisionSpec, state: CrewState) -> Choice:
    """Ask the model `name`, held to the names that there are.

    Raises LabError, and ValueError, TypeError or NotImplementedError where the answer is no choice.
    """
    chat = models.chat(name, sampling=Sampling(temperature=0.0, max_tokens=MAX_TOKENS))
    left = left_of(team, state.outcomes)
    asked: Any = chat.with_structured_output(form_of(left))
    system, material = SystemMessage(decision.prompt or PROMPT), HumanMessage(shown(team, state))
    # The decision is no part of the answer: its tokens stay out of the run's stream.
    said = await asked.ainvoke([system, material], {"tags": [TAG_NOSTREAM]})
    if not isinstance(said, Mapping) or said.get("next") not in (*left, END):
        raise ValueError(f"'{str(said)[:80]}' is no choice")
    return Choice(str(said["next"]), " ".join(str(said.get("reason") or "").split())[:MAX_REASON_CHARS] or name)


def form_of(left: Sequence[str]) -> dict[str, Any]:
    """What the model answers with: one of these, or END."""
    return {
        "title": "decision",
        "description": "Which agent goes on.",
        "type": "object",
        "properties": {
            "next": {"type": "string", "enum": [*left, END]},
            "reason": {"type": "string", "maxLength": MAX_REASON_CHARS, "description": "one short sentence"},
        },
        "required": ["next", "reason"],
        "additionalProperties": False,
    }


def shown(team: Team, state: CrewState) -> str:
    """The agents, the task and the results so far, the newest last; of each that is long the start and the end."""
    agents = "\n".join(f"- {step.id}: {_about(team, step.id)}" for step in team.steps)
    results = "\n\n".join(
        f"{outcome.step}: {outcome.text if outcome.status == 'completed' else 'failed: ' + (outcome.error or '')}"
        for outcome in latest(state.outcomes).values()
    )
    return f"Agents:\n{cut(agents)}\n\nTask:\n{cut(state.task)}\n\nResults:\n{cut(results)}"


def cut(text: str) -> str:
    """A text that is at most MAX_PART_CHARS and a mark long."""
    half = MAX_PART_CHARS // 2
    return text if len(text) <= MAX_PART_CHARS else f"{text[:half]}\n…\n{text[-half:]}"


def after_decide(state: CrewState, *, team: Team) -> str:
    """The chosen agent's node, else `finish`. Raises BadRequest: who writes into a thread may choose anybody."""
    if state.choice in (None, END):
        return "finish"
    if state.choice not in team.choices:
        raise BadRequest(
            f"there is no agent '{state.choice}' to go on; choose one of: {', '.join((*team.choices, END))}"
        )
    return state.choice


def _about(team: Team, name: str) -> str:
    step = team.step(name)
    prompt = step.agent.system_prompt.strip() if step is not None and step.agent is not None else ""
    return prompt.partition("\n")[0][:200] or (step.label if step is not None else name)


def _ended(model: str, error: Exception) -> Choice:
    said = " ".join(str(error).split())[:MAX_REASON_CHARS]
    log.warning("the model %s chose nobody: %s", model, said)
    return Choice(END, f"{model} chose nobody: {said}")


def _entry(agent: str, detail: str) -> LogEntry:
    return LogEntry(at=datetime.now(UTC), event="decided", agent_id=agent, detail=detail)
