"""A step of a crew or a flow: one node of its graph, whoever answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from state.flows import AgentSpec, Mode

ATTEMPTS = 3
MAX_ATTEMPTS = 10

Sees = Literal["needed", "last", "all"]
"""Which earlier answers a step is told: those that it depends on; the last one; the latest of each step."""


@dataclass(frozen=True)
class Step:
    """One of `agent`, `agent_id`, `capability` says who answers a step of the kind `agent`."""

    id: str
    kind: str = "agent"
    """A key of `nodes.teams.kinds`."""
    name: str = ""
    agent: AgentSpec | None = None
    """An agent of the crew's own."""
    agent_id: str | None = None
    """A registered agent."""
    capability: str | None = None
    """Any registered agent that has it."""
    depends_on: tuple[str, ...] = ()
    """Steps that end before this one begins."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The definition's: it travels to the agent."""

    @property
    def label(self) -> str:
        """What others are told of it."""
        return self.name or self.id


@dataclass(frozen=True)
class Team:
    """What all steps of one definition have in common."""

    kind: Literal["crew", "flow"]
    id: str
    name: str
    mode: Mode
    steps: tuple[Step, ...]
    """In the order in which they run, where that is known."""
    sees: Sees = "needed"
    exits: tuple[str, ...] = ()
    """The steps whose answers are the output; none: the last answer is."""
    combines: bool = False
    """The answers of all are the output, made one by the node `aggregate`."""
    choices: tuple[str, ...] = ()
    """In an adaptive crew: the agents that may be named as the next."""
    max_parallel: int = 10
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.id == name), None)


def attempts_of(config: Mapping[str, Any]) -> int:
    """`config.attempts` within its bounds; what is no whole number counts as not said."""
    said = config.get("attempts", ATTEMPTS)
    if isinstance(said, bool) or not isinstance(said, int):
        return ATTEMPTS
    return min(max(said, 1), MAX_ATTEMPTS)
