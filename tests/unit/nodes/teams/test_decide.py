"""Who goes on in an adaptive crew: tables of what the last agent said, and models that cannot be asked."""

from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.runtime import ExecutionInfo, Runtime

from nodes.teams.decide import MAX_CHARS, Choice, after_decide, decide, settled, shown, unknown_choice
from nodes.teams.steps import ATTEMPTS, Step, Team
from state.crew_run import CrewContext, CrewState, StepOutcome, StepStatus
from state.errors import LabError, NotFound, Unavailable
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
    state = CrewState(task="t" * MAX_CHARS, outcomes=[outcome(text="newest")])
    text = shown(TEAM, state)
    assert text.startswith("Agents:\n- a: Anna\n- b: You write.\n") and text.endswith("a: newest")
    assert len(text) <= MAX_CHARS + 3


@pytest.mark.parametrize(("choice", "node"), [("a", "a"), ("end", "finish"), (None, "finish")])
def test_the_end_is_the_node_finish(choice: str | None, node: str) -> None:
    assert after_decide(CrewState(choice=choice)) == node
