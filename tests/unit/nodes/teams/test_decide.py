"""Who goes on in an adaptive crew: tables of what the last agent said, and models that cannot be asked."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.runtime import ExecutionInfo, Runtime

from nodes.teams.decide import MAX_PART_CHARS, Choice, after_decide, decide, settled, shown, unknown_choice
from nodes.teams.steps import ATTEMPTS, Step, Team
from state.crew_run import CrewContext, CrewState, StepOutcome, StepStatus
from state.errors import BadRequest, LabError, NotFound, Unavailable
from state.flows import AgentSpec, DecisionSpec
from tests.fakes import FakeModels

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WRITER = AgentSpec(agent_id="b", system_prompt="You write.\nMore of it.")
TEAM = Team(
    kind="crew",
    id="crew",
    name="",
    mode="adaptive",
    steps=(Step("a", name="Anna"), Step("b", agent=WRITER)),
    sees="all",
    choices=("a", "b"),
)


def outcome(says: str | None = None, *, text: str = "done", status: StepStatus = "completed") -> StepOutcome:
    return StepOutcome(step="a", agent_id="a", status=status, text=text, next=says, started_at=NOW, ended_at=NOW)


def runtime(attempt: int) -> Any:
    info = ExecutionInfo(checkpoint_id="", checkpoint_ns="", task_id="", node_attempt=attempt)
    return Runtime(context=CrewContext(), execution_info=info)


@pytest.mark.parametrize(
    ("says", "chosen", "unknown"),
    [
        (None, None, ""),
        ("", None, ""),
        ("b", "b", ""),
        (" b ", "b", ""),
        ("END", "end", ""),
        ("c", None, "c"),
        ("finish", None, "finish"),
    ],
    ids=["nothing", "empty", "agent", "blanks", "end", "unknown", "node"],
)
def test_the_last_agents_word_counts_where_it_names_one(says: str | None, chosen: str | None, unknown: str) -> None:
    outcomes = [outcome(says)]
    choice = settled(TEAM, DecisionSpec(), outcomes)
    assert (choice.next if choice else None) == chosen and unknown_choice(TEAM, outcomes) == unknown


def test_the_bound_counts_before_the_agents_word() -> None:
    choice = settled(TEAM, DecisionSpec(max_steps=2), [outcome("b"), outcome("b")])
    assert choice == Choice("end", "2 steps, as many as decision.max_steps allows")


class Failing(FakeModels):
    """Models of which none can be had."""

    def __init__(self, error: LabError) -> None:
        super().__init__()
        self._error = error

    def chat(self, name: str, **_: Any) -> Any:
        raise self._error


async def test_a_model_that_is_not_there_now_is_asked_again_and_then_the_run_ends() -> None:
    models = Failing(Unavailable("no memory"))
    asked: Any = {"team": TEAM, "decision": DecisionSpec(), "models": models}
    state = CrewState(task="x", outcomes=[outcome()])
    with pytest.raises(Unavailable):
        await decide(state, runtime(ATTEMPTS - 1), **asked)
    update: Any = await decide(state, runtime(ATTEMPTS), **asked)
    assert update["choice"] == "end" and "no memory" in update["log"][-1].detail


async def test_a_model_that_does_not_exist_ends_the_run_at_once() -> None:
    models = Failing(NotFound("there is no model 'x'"))
    state = CrewState(task="x", outcomes=[outcome()])
    update: Any = await decide(state, runtime(1), team=TEAM, decision=DecisionSpec(model="x"), models=models)
    assert update["choice"] == "end" and "there is no model 'x'" in update["log"][-1].detail


def test_the_model_is_shown_who_there_is_and_the_newest_result_even_of_a_long_run() -> None:
    long = "t" * MAX_PART_CHARS
    state = CrewState(task=f"Sum up: {long}", outcomes=[outcome(text=f"{long} newest")])
    text = shown(TEAM, state)
    assert text.startswith("Agents:\n- a: Anna\n- b: You write.\n\nTask:\nSum up: ttt") and text.endswith(" newest")
    assert len(text) < 3 * MAX_PART_CHARS


def test_the_task_is_shown_however_many_agents_there_are() -> None:
    crowd = tuple(Step(f"agent{number}", name="n" * 60) for number in range(100))
    text = shown(replace(TEAM, steps=crowd), CrewState(task="Sum up", outcomes=[outcome(text="r" * 9_000)]))
    assert "\n\nTask:\nSum up\n\nResults:\na: rrr" in text


@pytest.mark.parametrize(("choice", "node"), [("a", "a"), ("end", "finish"), (None, "finish")])
def test_the_end_is_the_node_finish(choice: str | None, node: str) -> None:
    assert after_decide(CrewState(choice=choice), team=TEAM) == node


def test_a_choice_that_is_no_agent_is_refused_with_the_names() -> None:
    with pytest.raises(BadRequest, match="there is no agent 'c' to go on; choose one of: a, b, end"):
        after_decide(CrewState(choice="c"), team=TEAM)


def test_an_agent_may_be_called_end_in_other_letters() -> None:
    team = replace(TEAM, choices=("a", "End"))
    assert [getattr(settled(team, DecisionSpec(), [outcome(said)]), "next", None) for said in ("End", "END")] == [
        "End",
        "end",
    ]


def test_where_nobody_has_answered_yet_nothing_is_settled() -> None:
    assert settled(TEAM, DecisionSpec(), []) is None and unknown_choice(TEAM, []) == ""
